// Finds the ids of one page of a list: filters, sort, search with exact matches first, page or cursor, and a total that is cheap.
import { and, type SQL, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { Problem } from '../problem.ts';
import type { Conn } from './connect.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { ListDefinition, ListField, ListQuery, Pagination } from './list-contract.ts';

/** How a search narrows a list; `exact` is true for what comes first. */
export type Search = { readonly matches: SQL; readonly exact: SQL };

type SortKey = { readonly value: SQL; readonly descending: boolean; readonly cast: SQL };

const countedUpTo = 10_000;
const deepestOffset = 100_000;
const defaultPerPage = 50;
const casts: Readonly<Record<ListField['kind'], SQL>> = {
  integer: sql`bigint`,
  decimal: sql`numeric`,
  instant: sql`timestamptz`,
  text: sql`text`,
  boolean: sql`boolean`,
};

export async function pageOf(
  conn: Conn,
  definition: ListDefinition,
  query: ListQuery,
  search?: Search,
  narrowed?: SQL,
): Promise<{ ids: number[]; pagination: Pagination }> {
  const perPage = query.per_page ?? defaultPerPage;
  const page = query.page ?? 1;
  const offset = query.cursor === undefined ? (page - 1) * perPage : 0;
  if (offset > deepestOffset) throw new Problem('page_too_deep', 'follow next_cursor instead of page');
  const sort = query.sort ?? definition.defaultSort;
  const keys = sortKeys(definition, sort, search);
  const kept = and(narrowed, search?.matches, ...filters(definition, query)) ?? sql`true`;
  const after = query.cursor === undefined ? sql`true` : beyond(keys, decodeCursor(query.cursor, sort, keys.length));

  const rows = await conn.execute<{ id: string; keys: string[] }>(sql`
    SELECT ${definition.id} AS id, ARRAY[${sql.join(
      keys.map(({ value }) => sql`(${value})::text`),
      sql`, `,
    )}] AS keys
    FROM ${definition.from} WHERE ${kept} AND ${after}
    ORDER BY ${sql.join(
      keys.map(({ value, descending }) => sql`${value} ${descending ? sql`DESC` : sql`ASC`}`),
      sql`, `,
    )}
    LIMIT ${perPage + 1} OFFSET ${offset}`);
  const shown = rows.rows.slice(0, perPage);
  const last = shown.at(-1);
  const total = await totalOf(conn, definition, kept);
  return {
    ids: shown.map(({ id }) => Number(id)),
    pagination: {
      page: query.cursor === undefined ? page : null,
      per_page: perPage,
      ...total,
      next_cursor: rows.rows.length > perPage && last ? encodeCursor(sort, last.keys) : null,
    },
  };
}

/** Puts hydrated rows into the order of their ids. */
export function inOrder<T extends { id: number }>(ids: readonly number[], rows: readonly T[]): T[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

function sortKeys(definition: ListDefinition, sort: string, search: Search | undefined): SortKey[] {
  const name = sort.replace(/^-/, '');
  const descending = sort.startsWith('-');
  const field = definition.fields[name];
  if (!field) throw new Error(`${sort} is no sort order of this list`);
  const keys: SortKey[] = [];
  if (search) keys.push({ value: sql`(${search.exact})`, descending: true, cast: casts.boolean });
  if (name !== 'id') keys.push({ value: sql`${field.value}`, descending, cast: casts[field.kind] });
  keys.push({ value: sql`${definition.id}`, descending, cast: casts.integer });
  return keys;
}

/** True for rows after the one whose keys are `at`: (a > x) or (a = x and (b > y or …)). */
function beyond(keys: readonly SortKey[], at: readonly string[]): SQL {
  return keys.reduceRight<SQL>((rest, { value, descending, cast }, index) => {
    const bound = sql`${at[index]}::text::${cast}`;
    return sql`(${value} ${descending ? sql`<` : sql`>`} ${bound} OR (${value} = ${bound} AND ${rest}))`;
  }, sql`false`);
}

function filters(definition: ListDefinition, query: ListQuery): SQL[] {
  return Object.entries(query).flatMap(([key, operand]) => {
    const [name = '', operator = 'eq'] = (definition.aliases?.[key] ?? key).split('__');
    const field = definition.fields[name];
    return field && operand !== undefined ? [condition(field, operator, operand, key)] : [];
  });
}

const comparisons: Readonly<Record<string, SQL>> = {
  eq: sql`=`,
  gte: sql`>=`,
  lte: sql`<=`,
  gt: sql`>`,
  lt: sql`<`,
};

function condition(field: ListField, operator: string, operand: unknown, key: string): SQL {
  const { value, kind } = field;
  if (operator === 'eq' && field.equals) return field.equals(String(operand));
  if (operator === 'like' && field.like) return field.like(String(operand));
  const comparison = comparisons[operator];
  if (comparison) return sql`${value} ${comparison} ${String(operand)}::text::${casts[kind]}`;
  if (operator === 'isnull') return operand ? sql`${value} IS NULL` : sql`${value} IS NOT NULL`;
  const items = String(operand).split(',');
  if (kind === 'integer' && items.some((item) => !Number.isSafeInteger(Number(item)) || item.trim() === ''))
    throw new Problem('validation_failed', `query/${key} must be whole numbers separated by commas`, [
      { in: 'query', path: `/${key}`, message: 'must be whole numbers separated by commas' },
    ]);
  return sql`${value} = ANY(${sql.param(items)}::text[]::${casts[kind]}[])`;
}

/** The column contains the words, in any case: for tables that stay small. */
export function contains(column: AnyPgColumn): (part: string) => SQL {
  return (part) => sql`position(lower(${part}::text) in lower(${column})) > 0`;
}

/** An exact count up to a bound, beyond it the planner's estimate: a list of a million rows must not be counted for each page. */
async function totalOf(
  conn: Conn,
  { from }: ListDefinition,
  kept: SQL,
): Promise<{ total: number; total_estimated: boolean }> {
  const counted = await conn.execute<{ n: string }>(
    sql`SELECT count(*) AS n FROM (SELECT 1 FROM ${from} WHERE ${kept} LIMIT ${countedUpTo + 1}) AS counted`,
  );
  const total = Number(counted.rows[0]?.n ?? 0);
  if (total <= countedUpTo) return { total, total_estimated: false };
  const plan = await conn.execute<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
    sql`EXPLAIN (FORMAT JSON) SELECT 1 FROM ${from} WHERE ${kept}`,
  );
  const estimate = plan.rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0;
  return { total: Math.max(total, Math.round(estimate)), total_estimated: true };
}
