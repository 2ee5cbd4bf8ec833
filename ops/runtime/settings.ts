// Reads settings from the environment against a TypeBox schema; all problems are reported together.
import { readFileSync } from 'node:fs';
import Type, { type Static, type TObject, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { InvalidSettings, messageOf } from './errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Values of `schema` from `environment`. `NAME_FILE` reads NAME from a file (trailing newline removed). An empty value is absent.
 * Integers, booleans (true/false/1/0) and comma lists are converted by the schema's type; defaults fill what is absent.
 * @throws {InvalidSettings} with every problem found.
 */
export function readSettings<T extends TObject>(schema: T, environment: Environment): Static<T> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const text = textOf(name, environment, problems);
    if (text === undefined) {
      if ('default' in property) values[name] = property.default;
      else if (!Type.IsOptional(property)) problems.push(`${name} is required: ${describe(property)}`);
      continue;
    }
    const value = convert(property, text);
    if (Value.Check(property, value)) values[name] = value;
    else
      problems.push(
        `${name} is ${isSecret(property) ? '***' : JSON.stringify(text)}, but must be ${expectation(property)} (${describe(property)})`,
      );
  }
  if (problems.length > 0) throw new InvalidSettings(problems);
  return values as Static<T>;
}

/** The settings as they may be shown: secrets as `***`. */
export function showSettings(schema: TObject, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const property = schema.properties[name];
      return [name, property && isSecret(property) && value !== '' ? '***' : value];
    }),
  );
}

/** A setting of kind T with its documentation; `secret` values print as `***`. */
export type SettingOptions = { description: string; default?: unknown; secret?: boolean };

export const port = (options: SettingOptions) => Type.Integer({ minimum: 0, maximum: 65535, ...options });
export const text = (options: SettingOptions) => Type.String(options);
export const addresses = (options: SettingOptions) =>
  Type.Array(Type.String({ pattern: '^[0-9a-fA-F.:]+$' }), { minItems: 1, ...options });
export const list = (options: SettingOptions) => Type.Array(Type.String(), options);

function textOf(name: string, environment: Environment, problems: string[]): string | undefined {
  const direct = environment[name];
  const file = environment[`${name}_FILE`];
  if (direct !== undefined && direct !== '') {
    if (file) problems.push(`${name} and ${name}_FILE are both set: keep one`);
    return direct;
  }
  if (!file) return undefined;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    problems.push(`${name}_FILE cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

function convert(schema: TSchema, text: string): unknown {
  if (Type.IsInteger(schema) || Type.IsNumber(schema)) return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (Type.IsBoolean(schema)) return /^(true|1)$/.test(text) ? true : /^(false|0)$/.test(text) ? false : text;
  if (Type.IsArray(schema))
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  return text;
}

function expectation(schema: TSchema): string {
  if (Type.IsInteger(schema)) {
    const { minimum, maximum } = schema as { minimum?: number; maximum?: number };
    return `a whole number${minimum !== undefined ? ` from ${minimum}` : ''}${maximum !== undefined ? ` to ${maximum}` : ''}`;
  }
  if (Type.IsBoolean(schema)) return 'true or false';
  if (Type.IsArray(schema)) return 'a comma-separated list';
  if (Type.IsUnion(schema))
    return `one of ${schema.anyOf.map((option) => (Type.IsLiteral(option) ? option.const : '?')).join(', ')}`;
  return 'a text of the right form';
}

function describe(schema: TSchema): string {
  return (schema as { description?: string }).description ?? '';
}

function isSecret(schema: TSchema): boolean {
  return (schema as { secret?: boolean }).secret === true;
}
