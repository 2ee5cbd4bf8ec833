// What an error says to the caller and to the log.
import { DrizzleQueryError } from 'drizzle-orm';
import fastify, { type FastifyBaseLogger } from 'fastify';
import { pino } from 'pino';
import t from 'tap';
import type { Api } from '#control-api/api.ts';
import { problemReplies } from '#control-api/plugins/problems.ts';

async function failing(error: Error): Promise<{ body: string; log: string }> {
  const lines: string[] = [];
  const logger: FastifyBaseLogger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const app: Api = fastify({ loggerInstance: logger });
  problemReplies(app);
  app.get('/failing', async () => {
    throw error;
  });
  const reply = await app.inject('/failing');
  await app.close();
  return { body: reply.body, log: lines.join('') };
}

t.test('a query that fails is logged without its parameters: they hold secrets', async (t) => {
  const cause = new Error('relation "customer" does not exist');
  const { body, log } = await failing(new DrizzleQueryError('select $1', ['a token hash'], cause));
  t.match(body, /internal_error/);
  t.notMatch(body, /customer|select/, 'the caller learns nothing of the inside');
  t.match(log, /does not exist/);
  t.match(log, /select \$1/);
  t.notMatch(log, /a token hash/);
});

t.test('a database that is away is one line of the log, without a stack', async (t) => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });
  const { body, log } = await failing(new DrizzleQueryError('select $1', ['a token hash'], cause));
  t.match(body, /database_unavailable/);
  const about = log.split('\n').filter((line) => line.includes('request failed'));
  t.equal(about.length, 1);
  t.match(about[0], /ECONNREFUSED/);
  t.notMatch(log, /a token hash|stack/);
});
