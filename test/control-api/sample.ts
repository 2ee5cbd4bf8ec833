// Small valid requests made from the OpenAPI document, so that a test can walk every operation there is.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Schema = {
  type?: string;
  const?: Json;
  enum?: Json[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  minimum?: number;
  format?: string;
};
export type Operation = {
  method: string;
  path: string;
  operationId: string;
  summary: string;
  tags: string[];
  body: Schema | undefined;
  /** Names of its query parameters. */
  query: string[];
  responses: Record<string, { description?: string; content?: Record<string, unknown> }>;
};

type OpenApi = { paths?: Record<string, Record<string, unknown>> };

export function operationsOf(document: unknown): Operation[] {
  return Object.entries((document as OpenApi).paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const { operationId, summary, tags, responses, requestBody, parameters } = operation as Operation & {
        parameters?: { in: string; name: string }[];
        requestBody?: { content: Record<string, { schema: Schema }> };
      };
      const body = requestBody?.content['application/json']?.schema;
      const query = (parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name);
      return { method: method.toUpperCase(), path, operationId, summary, tags, responses, body, query };
    }),
  );
}

const texts: Readonly<Record<string, string>> = {
  address: '198.51.100.77',
  prefix: '198.51.100.77',
  monthly_fee: '1.00',
  currency: 'USD',
  time_zone: 'UTC',
  slug: 'sample',
  phone: '+8801700000000',
  account_number: '900001',
  vendor: 'generic',
  coa_address: '198.51.100.78',
  password: 'a long enough password',
};

/** A value that fits; every `…_id` becomes what `idOf` says. */
export function sampleOf(schema: Schema, name: string, idOf: (name: string) => number): Json {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0] ?? null;
  if (schema.anyOf) return sampleOf(schema.anyOf[0]!, name, idOf);
  switch (schema.type) {
    case 'object': {
      const properties = Object.entries(schema.properties ?? {});
      const required = properties.filter(([key]) => schema.required?.includes(key));
      const chosen = required.length > 0 ? required : properties.slice(0, 1);
      return Object.fromEntries(chosen.map(([key, property]) => [key, sampleOf(property, key, idOf)]));
    }
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, () => sampleOf(schema.items!, name, idOf));
    case 'integer':
      return name.endsWith('_id') ? idOf(name) : Math.max(schema.minimum ?? 1, 1);
    case 'number':
      return 5;
    case 'boolean':
      return true;
    case 'string':
      if (schema.format === 'date-time') return '2027-01-01T00:00:00Z';
      if (schema.format === 'email') return 'sample@example.com';
      return texts[name] ?? 'sample';
    default:
      return null;
  }
}
