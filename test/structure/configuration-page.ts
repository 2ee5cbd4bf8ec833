// Renders ops/docs/configuration.md from the settings schemas of the processes; `npm run docs` writes it, a test compares it.
import Type, { type TObject, type TSchema } from 'typebox';

export type ProcessSettings = { readonly process: string; readonly settings: TObject };

type Documented = { description?: string; default?: unknown; secret?: boolean };

/** One table over all processes: a setting that several read stands once and names them. */
export function configurationPage(processes: readonly ProcessSettings[]): string {
  const rows = new Map<string, { schema: Documented; readers: string[] }>();
  for (const { process, settings } of processes) {
    for (const [name, schema] of Object.entries(settings.properties)) {
      const row = rows.get(name);
      if (row) row.readers.push(process);
      else rows.set(name, { schema: schema as Documented, readers: [process] });
    }
  }
  const lines = [...rows.entries()].map(([name, { schema, readers }]) => {
    const secret = schema.secret ? ' Secret: shown as `***`.' : '';
    return `| \`${name}\` | ${defaultText(schema)} | ${sentence(schema.description ?? '')}${secret} | ${readers.join(', ')} |`;
  });
  return `# Settings

Generated from the schemas of the processes by \`npm run docs\`; a test keeps it true. Settings come from the environment.
\`NAME_FILE\` reads NAME from a file. An empty value counts as absent. A wrong value stops the process with all problems listed together.

| name | default | meaning | read by |
|---|---|---|---|
${lines.join('\n')}
`;
}

function defaultText(schema: Documented): string {
  if (!('default' in schema)) return Type.IsOptional(schema as TSchema) ? 'none' : 'required';
  const value = Array.isArray(schema.default) ? schema.default.join(',') : String(schema.default);
  return value === '' ? 'empty' : `\`${value}\``;
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) || first === '' ? first : `${first}.`;
}
