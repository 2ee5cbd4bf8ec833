// The operator tools of aaa-server as the API calls them: over its admin port.
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import { testPatienceMs } from '#policy/access/login-patience.ts';
import { type AaaAdmin, refused } from '../aaa-admin.ts';
import { Problem } from '../problem.ts';
import { ExplanationReply, type testMethods } from './contract.ts';

export type Explanation = Static<typeof ExplanationReply>;

/** What an access server would tell of a login. */
export type AskedLogin = {
  readonly tenantId: number;
  readonly userName: string;
  readonly nas?: string;
  readonly nasIdentifier?: string;
  readonly callingStationId?: string;
  readonly nasPortId?: string;
};

export type ExplainQuestion = AskedLogin & {
  readonly circuitId?: string;
  readonly remoteId?: string;
  readonly serviceType?: number;
};

export type TestLogin = AskedLogin & {
  readonly method: (typeof testMethods)[number];
  readonly password: string;
};

export type AaaTools = {
  explain(question: ExplainQuestion): Promise<Explanation>;
  testLogin(test: TestLogin): Promise<TestedLogin>;
};

const NotAsked = Type.Object({
  ok: Type.Literal(false),
  problem: Type.Union([
    Type.Literal('nas_unknown'),
    Type.Literal('nas_needed'),
    Type.Literal('nas_ambiguous'),
    Type.Literal('request_too_long'),
  ]),
});
type Reason = Static<typeof NotAsked>['problem'];

const nullableText = Type.Union([Type.String(), Type.Null()]);
const nullableNumber = Type.Union([Type.Number(), Type.Null()]);
const TestedLogin = Type.Object({
  ok: Type.Literal(true),
  result: Type.Union([Type.Literal('accept'), Type.Literal('reject'), Type.Literal('unanswered')]),
  ...{ reason: nullableText, outcome: nullableText, subscriptionId: nullableNumber, durationUs: nullableNumber },
  nasId: Type.Integer(),
  attributes: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
});
export type TestedLogin = Static<typeof TestedLogin>;
const Tested = Type.Union([TestedLogin, NotAsked]);
const Explained = Type.Union([Type.Object({ ok: Type.Literal(true), explanation: ExplanationReply }), NotAsked]);

export function createAaaTools(aaa: AaaAdmin): AaaTools {
  async function ask(path: string, question: unknown, patienceMs?: number): Promise<unknown> {
    const response = await aaa.call('POST', path, question, patienceMs);
    if (!response.ok) throw refused(response);
    return response.json();
  }

  return {
    async explain(question) {
      const answer = Value.Parse(Explained, await ask('/explain', question));
      if (!answer.ok) throw notAsked(answer.problem, question.nas);
      return answer.explanation;
    },
    async testLogin(test) {
      const answer = Value.Parse(Tested, await ask('/test-login', test, testPatienceMs.api));
      if (!answer.ok) throw notAsked(answer.problem, test.nas);
      return answer;
    },
  };
}

function notAsked(reason: Reason, nas = ''): Problem {
  switch (reason) {
    case 'nas_unknown':
      return new Problem(
        'nas_not_found',
        `${nas || 'an access server'} is none of this tenant: packets from there reach no subscriber of it`,
      );
    case 'nas_needed':
      return new Problem('nas_not_named', 'the tenant has several access servers: say which');
    case 'nas_ambiguous':
      return new Problem('nas_not_named', `several access servers of the tenant are called ${nas}`);
    case 'request_too_long':
      return new Problem('validation_failed', 'a text is longer than the 253 octets that an attribute holds');
  }
  return reason satisfies never;
}
