// What a list takes in its query string and gives as its reply: the same for every list of the API.

import type { SQL } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import Type, { type TSchema } from 'typebox';
import { choice, strict } from '../fields.ts';

export type FieldKind = 'integer' | 'text' | 'instant' | 'boolean' | 'decimal';

/** A field that a list can filter by. `sortable` fields are never null. */
export type ListField = {
  readonly kind: FieldKind;
  readonly value: SQL | AnyPgColumn;
  readonly choices?: readonly string[];
  readonly sortable?: boolean;
  readonly nullable?: boolean;
  /** Takes `__like`, by this condition; LIKE itself finds no index below row-level security. */
  readonly like?: (part: string) => SQL;
  /** Another condition than `value = operand`, one that an index helps. */
  readonly equals?: (operand: string) => SQL;
};

export type ListDefinition = {
  /** What stands after FROM. */
  readonly from: SQL;
  /** Unique, ends every sort order. */
  readonly id: AnyPgColumn;
  readonly fields: Readonly<Record<string, ListField>>;
  /** Other names of filters, e.g. `price_min` → `monthly_fee__gte`. */
  readonly aliases?: Readonly<Record<string, string>>;
  readonly defaultSort: string;
  readonly searches?: string;
};

export type ListQuery = {
  page?: number;
  per_page?: number;
  cursor?: string;
  sort?: string;
  search?: string;
  [filter: string]: unknown;
};

export type Pagination = {
  page: number | null;
  per_page: number;
  total: number;
  total_estimated: boolean;
  next_cursor: string | null;
};

const operators: Readonly<Record<FieldKind, readonly string[]>> = {
  integer: ['gte', 'lte', 'gt', 'lt', 'in'],
  decimal: ['gte', 'lte', 'gt', 'lt'],
  instant: ['gte', 'lte', 'gt', 'lt'],
  text: ['in'],
  boolean: [],
};

/** The query-string schema of a list: pages, sort, search and a filter per field and operator. */
export function listQuery(definition: ListDefinition) {
  const properties: Record<string, TSchema> = {
    page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    per_page: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'default 50' })),
    cursor: Type.Optional(
      Type.String({ maxLength: 2000, description: 'next_cursor of the page before; instead of page' }),
    ),
    sort: Type.Optional(
      choice(Object.entries(definition.fields).flatMap(([name, field]) => (field.sortable ? [name, `-${name}`] : []))),
    ),
  };
  if (definition.searches)
    properties.search = Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: definition.searches }));
  for (const [name, field] of Object.entries(definition.fields)) {
    properties[name] = Type.Optional(filterSchema(field));
    for (const operator of operators[field.kind]) {
      properties[`${name}__${operator}`] = Type.Optional(
        operator === 'in' ? Type.String({ minLength: 1, maxLength: 2000 }) : filterSchema(field),
      );
    }
    if (field.like) properties[`${name}__like`] = Type.Optional(Type.String({ minLength: 1, maxLength: 200 }));
    if (field.nullable) properties[`${name}__isnull`] = Type.Optional(Type.Boolean());
  }
  for (const [alias, name] of Object.entries(definition.aliases ?? {})) properties[alias] = properties[name] as TSchema;
  return Type.Unsafe<ListQuery>(strict(properties));
}

export function listReply<T extends TSchema>(item: T) {
  return Type.Object({
    data: Type.Array(item),
    pagination: Type.Object({
      page: Type.Union([Type.Integer(), Type.Null()]),
      per_page: Type.Integer(),
      total: Type.Integer(),
      total_estimated: Type.Boolean(),
      next_cursor: Type.Union([Type.String(), Type.Null()]),
    }),
  });
}

function filterSchema({ kind, choices }: ListField): TSchema {
  if (choices) return choice(choices);
  switch (kind) {
    case 'integer':
      return Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER });
    case 'boolean':
      return Type.Boolean();
    case 'instant':
      return Type.String({ format: 'date-time' });
    case 'decimal':
      return Type.String({ pattern: '^[0-9]{1,12}(\\.[0-9]{1,4})?$' });
    case 'text':
      return Type.String({ maxLength: 300 });
    default:
      return kind satisfies never;
  }
}
