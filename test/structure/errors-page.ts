// Renders ops/docs/errors.md from the registry of error codes; `npm run docs` writes it, a test compares it.
import type { ErrorEntry } from '#control-api/problem.ts';

export function errorsPage(errors: Readonly<Record<string, ErrorEntry>>): string {
  const rows = Object.entries(errors)
    .sort(([a, one], [b, other]) => one.status - other.status || a.localeCompare(b))
    .map(([code, { status, title }]) => `| \`${code}\` | ${status} | ${title} |`);
  return `# Error codes

Every error of the API is \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`detail\`, \`code\` and \`request_id\`,
and \`problems\` where single fields are wrong. \`code\` is stable; texts are not. Generated from the registry by \`npm run docs\`; a test keeps it true.

| code | status | meaning |
|---|---|---|
${rows.join('\n')}
`;
}
