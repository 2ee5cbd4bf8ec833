// What home servers, realms and accounting copies look like in the API. Secrets go in and never come out.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import {
  accountingPlaces,
  authenticationPlaces,
  healthChecks,
  serverChoices,
  unreachableAnswers,
} from '#policy/proxy/settings.ts';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { choice, Id, Instant, Name, nullable, strict, WriteQuery } from '../fields.ts';
import { Secret } from '../nas/contract.ts';
import { demands, nasStatuses } from '../nas/schema.ts';
import { accountingCopy, homeServer, realm } from './schema.ts';

const Port = Type.Integer({ minimum: 1, maximum: 65_535 });
const Address = Type.String({
  minLength: 2,
  maxLength: 64,
  description: 'an IP address, never one of our own listeners',
});
const Status = choice(nasStatuses);

/** What is said of the values, in bodies and replies alike. */
const described = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Unsafe<T[number]>(Type.Enum([...values], { description }));

const serverSettings = {
  auth_port: Type.Optional(Port),
  acct_port: Type.Optional(Port),
  response_window_ms: Type.Optional(
    Type.Integer({ minimum: 100, maximum: 30_000, description: 'how long an answer is waited for; default 2000' }),
  ),
  attempts: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 5,
      description: 'how often a request is sent to it, each with a response window, before the next server is asked',
    }),
  ),
  health_check: Type.Optional(
    described(
      healthChecks,
      'status_server: asked while it does not answer (RFC 5997); none: tried again after a minute',
    ),
  ),
  message_authenticator: Type.Optional(
    described(demands, 'whether its replies must carry a Message-Authenticator; auto: as soon as one of them did'),
  ),
  max_outstanding: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 16_384, description: 'requests without an answer, per worker; default 2048' }),
  ),
  status: Type.Optional(Status),
};

export const HomeServerBody = strict({ name: Name, address: Address, secret: Secret, ...serverSettings });
export type HomeServerBody = Static<typeof HomeServerBody>;
export const HomeServerChange = strict({
  name: Type.Optional(Name),
  address: Type.Optional(Address),
  secret: Type.Optional(Secret),
  ...serverSettings,
});
export type HomeServerChange = Static<typeof HomeServerChange>;

export const HomeServerReply = Type.Object({
  id: Id,
  name: Type.String(),
  address: Type.String(),
  auth_port: Type.Integer(),
  acct_port: Type.Integer(),
  response_window_ms: Type.Integer(),
  attempts: Type.Integer(),
  health_check: choice(healthChecks),
  message_authenticator: choice(demands),
  max_outstanding: Type.Integer(),
  status: Status,
  created_at: Instant,
  updated_at: Instant,
});
export type HomeServerReply = Static<typeof HomeServerReply>;

const RealmName = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: '^[^\\s@\\\\/\\u0000-\\u001f]+$',
  description: 'as in user@realm or REALM\\user, in any case; DEFAULT stands for every realm without an entry',
});
const AttributeName = Type.String({ minLength: 1, maxLength: 100, pattern: '^[A-Za-z0-9._-]+$' });
const realmSettings = {
  strip_user_name: Type.Optional(
    Type.Boolean({ description: 'the home server gets the name without the realm; never with EAP or MS-CHAP' }),
  ),
  authentication: Type.Optional(described(authenticationPlaces, 'who decides logins; default forward')),
  accounting: Type.Optional(described(accountingPlaces, 'who gets the accounting; default both')),
  choice: Type.Optional(
    described(
      serverChoices,
      'order: the first home server that is alive; spread: subscribers are spread over those alive, each always to the same',
    ),
  ),
  unreachable: Type.Optional(
    described(
      unreachableAnswers,
      'what a login gets when no home server answers; silence: the access server asks elsewhere',
    ),
  ),
  reply_attributes: Type.Optional(
    nullable(
      Type.Array(AttributeName, {
        maxItems: 64,
        description:
          'names of the attributes that replies may bring, beside those of the authentication itself; null: the usual ones',
      }),
    ),
  ),
  home_server_ids: Type.Optional(Type.Array(Id, { maxItems: 8, uniqueItems: true, description: 'in order' })),
  status: Type.Optional(Status),
  confirm_count: Type.Optional(
    Type.Integer({
      minimum: 0,
      description:
        'how many subscribers have logins that are decided elsewhere from then on; needed above 50 and 3 % of the subscriptions',
    }),
  ),
};

export const RealmBody = strict({ name: RealmName, ...realmSettings });
export type RealmBody = Static<typeof RealmBody>;
export const RealmChange = strict({ name: Type.Optional(RealmName), ...realmSettings });
export type RealmChange = Static<typeof RealmChange>;

export const RealmReply = Type.Object({
  id: Id,
  name: Type.String({ description: 'in lower case' }),
  strip_user_name: Type.Boolean(),
  authentication: choice(authenticationPlaces),
  accounting: choice(accountingPlaces),
  choice: choice(serverChoices),
  unreachable: choice(unreachableAnswers),
  reply_attributes: nullable(Type.Array(Type.String())),
  home_server_ids: Type.Array(Id),
  status: Status,
  subscribers: Type.Optional(
    Type.Integer({
      description: 'own subscribers with a login that it forwards, as the names are entered; not in lists',
    }),
  ),
  created_at: Instant,
  updated_at: Instant,
});
export const RealmRemoval = strict({
  ...WriteQuery.properties,
  confirm_count: realmSettings.confirm_count,
});
export type RealmReply = Static<typeof RealmReply>;

export const CopyBody = strict({
  name: Name,
  home_server_id: Id,
  nas_id: Type.Optional(nullable(Id)),
  status: Type.Optional(Status),
});
export type CopyBody = Static<typeof CopyBody>;
export const CopyChange = strict({
  name: Type.Optional(Name),
  home_server_id: Type.Optional(Id),
  nas_id: Type.Optional(nullable(Id)),
  status: Type.Optional(Status),
});
export type CopyChange = Static<typeof CopyChange>;

export const CopyReply = Type.Object({
  id: Id,
  name: Type.String(),
  home_server_id: Id,
  nas_id: nullable(Type.Integer({ description: 'only of this access server; null: of all' })),
  status: Status,
  created_at: Instant,
  updated_at: Instant,
});
export type CopyReply = Static<typeof CopyReply>;

export const homeServerList = {
  from: sql`${homeServer}`,
  id: homeServer.id,
  defaultSort: 'id',
  searches: 'a part of the name',
  fields: {
    id: { kind: 'integer', value: homeServer.id, sortable: true },
    name: { kind: 'text', value: homeServer.name, sortable: true, like: contains(homeServer.name) },
    status: { kind: 'text', value: homeServer.status, choices: nasStatuses },
  },
} as const satisfies ListDefinition;
export const HomeServerQuery = listQuery(homeServerList);
export const HomeServersReply = listReply(HomeServerReply);

export const realmList = {
  from: sql`${realm}`,
  id: realm.id,
  defaultSort: 'id',
  searches: 'a part of the name',
  fields: {
    id: { kind: 'integer', value: realm.id, sortable: true },
    name: { kind: 'text', value: realm.name, sortable: true, like: contains(realm.name) },
    status: { kind: 'text', value: realm.status, choices: nasStatuses },
  },
} as const satisfies ListDefinition;
export const RealmQuery = listQuery(realmList);
export const RealmsReply = listReply(RealmReply);

export const copyList = {
  from: sql`${accountingCopy}`,
  id: accountingCopy.id,
  defaultSort: 'id',
  searches: 'a part of the name',
  fields: {
    id: { kind: 'integer', value: accountingCopy.id, sortable: true },
    name: { kind: 'text', value: accountingCopy.name, sortable: true, like: contains(accountingCopy.name) },
    home_server_id: { kind: 'integer', value: accountingCopy.homeServerId },
    status: { kind: 'text', value: accountingCopy.status, choices: nasStatuses },
  },
} as const satisfies ListDefinition;
export const CopyQuery = listQuery(copyList);
export const CopiesReply = listReply(CopyReply);
