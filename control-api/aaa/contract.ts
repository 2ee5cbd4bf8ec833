// What the operator tools of AAA look like in the API: a login explained or tried, the auth log, rejects counted.
import Type from 'typebox';
import { loginResults, rejectKeys } from '#ops/history/logins.ts';
import { passwordMethods } from '#policy/credentials/password-scheme.ts';
import { credentialKinds } from '#policy/credentials/vouched.ts';
import { choice, Id, Instant, nullable, strict } from '../fields.ts';

const octets253 = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 253, description }));
const UserName = Type.String({ minLength: 1, maxLength: 253, description: 'as the access server sends it' });
const Nas = octets253('id, source address, NAS-Identifier or name; may be left out when there is only one');
const asked = {
  nas: Nas,
  nas_identifier: octets253('NAS-Identifier, where several access servers share an address'),
  calling_station_id: octets253('Calling-Station-Id, usually the MAC address'),
  nas_port_id: octets253('NAS-Port-Id'),
};

export const ExplainQuery = strict({
  username: UserName,
  ...asked,
  mac: octets253('the same as calling_station_id'),
  circuit_id: octets253('Agent-Circuit-Id of the line'),
  remote_id: octets253('Agent-Remote-Id of the line'),
  service_type: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 0xffff_ffff,
      description: 'Service-Type; Framed, or Call-Check for a MAC address',
    }),
  ),
});

const Attribute = Type.Object({
  name: Type.String(),
  value: Type.String({ description: 'hidden values and Class read `***`' }),
  source: Type.String({ description: 'what put it there, e.g. `speed`, `pool`, `tariff_attribute`' }),
  rule: Type.String({ description: 'the rule in words' }),
});

export const ExplanationReply = Type.Object({
  result: choice(['accept', 'reject', 'unanswered'] as const),
  reason: nullable(Type.String({ description: 'why it is no Accept at the speed of the tariff' })),
  sentence: Type.String(),
  outcome: nullable(Type.String({ description: 'of the access table, e.g. `throttle:2000000/2000000:fup`' })),
  user: Type.Object({
    user_name: Type.String(),
    matched_by: nullable(
      choice(['whole_name', 'realm', 'domain', 'domain_left_out', 'mac', 'line', 'device_user'] as const),
    ),
    rule: Type.String(),
    credential: nullable(
      Type.Object({
        kind: choice(credentialKinds),
        user_name: Type.String(),
        realm: Type.String(),
        scheme: Type.String({ description: 'how the password is stored' }),
        subscription_id: Id,
      }),
    ),
    methods: Type.Array(
      Type.Object({ method: choice(passwordMethods), possible: Type.Boolean(), why: Type.String() }),
      { description: 'which methods the stored password can serve' },
    ),
  }),
  nas: Type.Object({
    id: Id,
    name: Type.String(),
    address: Type.String(),
    vendor: Type.String(),
    nas_identifier: nullable(Type.String()),
    several: Type.Boolean({ description: 'several devices stand behind it' }),
    found_by: choice(['id', 'address', 'prefix', 'identifier', 'name', 'only_one'] as const),
    rule: Type.String(),
  }),
  facts: Type.Array(Type.Object({ fact: Type.String(), value: Type.String(), decides: Type.Boolean() }), {
    description: 'what the outcome follows from',
  }),
  network: nullable(
    Type.Object({
      session_limit: Type.Integer({ description: '0: any number' }),
      session_mode: choice(['newest', 'refuse'] as const),
      live_sessions: Type.Optional(nullable(Type.Integer({ description: 'null while Redis is away' }))),
      mac_limit: Type.Integer({ description: '0: any device' }),
      mac_mode: choice(['lock', 'replace'] as const),
      pools: Type.Object({
        ipv4: nullable(Type.String()),
        ipv6_prefix: nullable(Type.String()),
        delegated_prefix: nullable(Type.String()),
      }),
      ledger: choice(['not_needed', 'asked', 'away'] as const),
    }),
  ),
  attributes: Type.Array(Attribute, { description: 'of the Access-Accept, in its order' }),
  garden_stay: nullable(
    Type.Array(Attribute, {
      description: 'what PAP and CHAP get instead of the reject, by refused_logins of the tenant',
    }),
  ),
});

export const testMethods = ['pap', 'chap', 'mschapv2'] as const;
export const TestBody = strict({
  username: UserName,
  password: Type.String({ maxLength: 128, description: 'kept nowhere' }),
  method: choice(testMethods),
  ...asked,
});

export const TestReply = Type.Object({
  result: choice(['accept', 'reject', 'unanswered'] as const),
  reason: nullable(
    Type.String({ description: 'of the reject, or of a stay in the garden instead; why there was no answer' }),
  ),
  sentence: nullable(Type.String()),
  outcome: nullable(Type.String({ description: 'what the speed follows from' })),
  subscription_id: nullable(Id),
  nas_id: Id,
  duration_ms: nullable(
    Type.Number({ description: 'from the receipt of the request to its decision, without the delay of a reject' }),
  ),
  attributes: Type.Array(Type.Object({ name: Type.String(), value: Type.String() }), {
    description: 'of the reply; hidden values and Class read `***`',
  }),
});

const page = {
  from: Type.Optional(Instant),
  to: Type.Optional(Instant),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'default 50' })),
  cursor: Type.Optional(Type.String({ maxLength: 500, description: 'next_cursor of the page before' })),
};
const narrowed = {
  result: Type.Optional(choice(loginResults)),
  reason: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
};
export const OwnLoginsQuery = strict({ ...narrowed, ...page });
export const LoginsQuery = strict({
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 253, description: 'as it is shown' })),
  nas: Type.Optional(Id),
  ...narrowed,
  ...page,
});

export const LoginsReply = Type.Object({
  data: Type.Array(
    Type.Object({
      at: Instant,
      result: choice(loginResults),
      reason: nullable(Type.String()),
      sentence: nullable(Type.String()),
      user_name: Type.String({
        description: 'a name that nobody has and that looks like a password is told by its length alone',
      }),
      subscription_id: nullable(Id),
      nas_id: Id,
      method: Type.String({
        description: '`pap`, `chap`, `mschap`, `mschapv2`, `eap`, `vouched` (MAC or line), `none`',
      }),
      calling_station_id: Type.String(),
      nas_port_id: Type.String(),
      framed_ip: nullable(Type.String()),
      outcome: nullable(
        Type.String({
          description: 'what the speed follows from, `garden_stay`, or `device:` and the access of staff',
        }),
      ),
      duration_us: Type.Integer(),
      node: Type.String(),
      worker: Type.Integer(),
      test: Type.Boolean({ description: 'tried by an operator' }),
    }),
    { description: 'newest first; every reject up to a bound, Accepts up to another' },
  ),
  left_out: Type.Integer({
    description:
      'rejects and unanswered logins of the tenant, in the span of the page, that were too many to be written one by one',
  }),
  next_cursor: nullable(Type.String()),
});

export const RejectsQuery = strict({
  from: Type.Optional(Type.String({ format: 'date-time', description: 'default 24 hours back' })),
  to: Type.Optional(Instant),
  by: Type.Optional(choice(rejectKeys)),
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100, description: 'of the keys and names with the most rejects; default 20' }),
  ),
});

export const RejectsReply = Type.Object({
  by: choice(rejectKeys),
  hours: Type.Array(Type.Object({ hour: Instant, key: Type.String(), count: Type.Integer() }), {
    description: 'rejects by hour (UTC) and reason, id of the access server, or user name; oldest hour first',
  }),
  top_user_names: Type.Array(
    Type.Object({
      user_name: Type.String(),
      subscription_id: nullable(Id),
      count: Type.Integer(),
      reason: Type.String({ description: 'of most of them' }),
      last_at: Instant,
    }),
  ),
  left_out: Type.Integer({ description: 'further rejects and unanswered logins that were only counted' }),
});
