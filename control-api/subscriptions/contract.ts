// What a subscription looks like in the API, and what its life cycle takes.
import { type SQL, sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { passwordMethods, passwordSchemes } from '#policy/credentials/password-scheme.ts';
import { credentialKinds } from '#policy/credentials/vouched.ts';
import { subscriptionStatuses } from '#policy/customers/subscription-status.ts';
import { macModes } from '#policy/ledger/login.ts';
import { meters } from '#policy/ledger/types.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { choice, Id, Instant, nullable, Prefix, strict } from '../fields.ts';
import { AttributeField, AttributesField } from '../reply-attributes/contract.ts';
import { MacLimit, SessionLimit, TariffReply } from '../services/contract.ts';
import { addressKinds, holdReasons, subscription, subscriptionHold, terminationReasons } from './schema.ts';

/** What is shown: `suspended` is an active subscription with a standing hold. */
export const shownStatuses = [...subscriptionStatuses, 'suspended'] as const;

const UserName = Type.String({ minLength: 1, maxLength: 253, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });
export const StoredPassword = strict(
  {
    scheme: choice(passwordSchemes.filter((scheme) => scheme !== 'clear' && scheme !== 'none')),
    value: Type.String({ minLength: 1, maxLength: 512, description: 'what another system stored of the password' }),
  },
  { description: 'a password that only its hash is known of; it serves fewer methods of login' },
);
const Password = Type.Union([Type.String({ minLength: 1, maxLength: 128 }), StoredPassword], {
  description: 'the password, or what another system stored of it; never given back',
});
export type Password = Static<typeof Password>;
const Realm = Type.String({
  maxLength: 253,
  pattern: '^([^:\\u0000-\\u001f\\u007f][^\\u0000-\\u001f\\u007f]*)?$',
});
const InstantText = Type.String({ format: 'date-time' });
const MeterChoice = Type.Unsafe<(typeof meters)[number]>(
  Type.Enum([...meters], { description: 'what counts the bytes: RADIUS accounting or flows' }),
);
const AnchorDay = Type.Integer({ minimum: 1, maximum: 31, description: 'first day of the billing month' });

export const AddressBody = strict({ kind: choice(addressKinds), prefix: Prefix });
export type AddressBody = Static<typeof AddressBody>;

export const SubscribeBody = strict({
  service_id: Id,
  user_name: UserName,
  password: Password,
  realm: Type.Optional(Realm),
  status: Type.Optional(choice(['pending', 'active'])),
  paid_until: Type.Optional(nullable(InstantText)),
  anchor_day: Type.Optional(AnchorDay),
  meter: Type.Optional(MeterChoice),
  addresses: Type.Optional(Type.Array(AddressBody, { maxItems: 50 })),
  attributes: Type.Optional(AttributesField),
});
export type SubscribeBody = Static<typeof SubscribeBody>;

/** null: as the tariff says. */
const networkTerms = {
  ipv4_pool_id: nullable(Id),
  ipv6_pool_id: nullable(Id),
  delegated_pool_id: nullable(Id),
  session_limit: nullable(SessionLimit),
  mac_limit: nullable(MacLimit),
  mac_mode: nullable(choice(macModes)),
};
export const NetworkTerms = strict(networkTerms, { description: 'of its own; null: as the tariff says' });

export const SubscriptionChange = strict({
  status: Type.Optional(choice(['pending', 'active', 'paused', 'disabled'])),
  paid_until: Type.Optional(nullable(InstantText)),
  anchor_day: Type.Optional(AnchorDay),
  meter: Type.Optional(MeterChoice),
  meter_since: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'a quarter of an hour (UTC) at least 15 minutes ahead; default the next one',
    }),
  ),
  user_name: Type.Optional(UserName),
  password: Type.Optional(Password),
  network: Type.Optional(Type.Partial(NetworkTerms)),
  attributes: Type.Optional(AttributesField),
});
export type SubscriptionChange = Static<typeof SubscriptionChange>;

export const SuspendBody = strict({ reason: choice(holdReasons), until: Type.Optional(nullable(InstantText)) });
export type SuspendBody = Static<typeof SuspendBody>;
export const ReactivateBody = strict({ reason: choice(holdReasons) });
export const TerminateBody = strict({ reason: choice(terminationReasons) });
export const MoveBody = strict({ service_id: Id });

const LineText = Type.String({
  minLength: 1,
  maxLength: 500,
  description: 'as the access node sends it; `0x` and hexadecimal digits where it is not text',
});
export const CredentialBody = Type.Union([
  strict({ kind: Type.Literal('login'), user_name: UserName, realm: Type.Optional(Realm), password: Password }),
  strict({ kind: Type.Literal('mac'), mac: Type.String({ maxLength: 17, description: 'in any usual form' }) }),
  strict({
    kind: Type.Literal('line'),
    circuit_id: Type.Optional(LineText),
    remote_id: Type.Optional(LineText),
  }),
]);
export type CredentialBody = Static<typeof CredentialBody>;
export const CredentialChange = strict({
  user_name: Type.Optional(UserName),
  password: Type.Optional(Password),
});
export type CredentialChange = Static<typeof CredentialChange>;

const CredentialReply = Type.Object({
  id: Id,
  kind: choice(credentialKinds),
  user_name: Type.String({ description: 'what the login is known by; of a line its ids, the circuit first' }),
  realm: nullable(Type.String()),
  scheme: choice(passwordSchemes),
  serves: Type.Array(choice(passwordMethods), { description: 'the methods of login that this password can serve' }),
  circuit_id: nullable(Type.String()),
  remote_id: nullable(Type.String()),
  created_at: Instant,
});

const AddressReply = Type.Object({ id: Id, kind: choice(addressKinds), prefix: Type.String(), assigned_at: Instant });

export const SubscriptionReply = Type.Object({
  id: Id,
  customer_id: Id,
  service_id: Id,
  service_name: Type.String(),
  tariff: TariffReply,
  status: choice(shownStatuses),
  expired: Type.Boolean({ description: 'paid_until and the grace of the tariff are over' }),
  holds: Type.Array(
    Type.Object({ reason: choice(holdReasons), since: Instant, until: nullable(Instant), by: nullable(Id) }),
  ),
  paid_until: nullable(Instant),
  anchor_day: Type.Integer(),
  meter: choice(meters),
  meter_since: nullable(Type.String({ format: 'date-time', description: 'before this the other meter counted' })),
  user_name: nullable(Type.String()),
  realm: nullable(Type.String()),
  credentials: Type.Array(CredentialReply),
  addresses: Type.Array(AddressReply),
  network: NetworkTerms,
  attributes: Type.Array(AttributeField),
  created_at: Instant,
  updated_at: Instant,
  terminated_at: nullable(Instant),
  termination_reason: nullable(choice(terminationReasons)),
});
export type SubscriptionReply = Static<typeof SubscriptionReply>;

/** A hold of {@link subscriptionHold} that stands now. */
export const standingHold = sql`${subscriptionHold.liftedAt} IS NULL
  AND (${subscriptionHold.until} IS NULL OR ${subscriptionHold.until} > now())`;

const held = sql`${subscription.id} IN (SELECT ${subscriptionHold.subscriptionId} FROM ${subscriptionHold} WHERE ${standingHold})`;
const shownStatus = sql`CASE WHEN ${subscription.status} = 'active' AND ${held} THEN 'suspended' ELSE ${subscription.status} END`;

/** The same condition in a form that an index serves. */
function statusIs(status: string): SQL {
  if (status === 'suspended') return sql`(${subscription.status} = 'active' AND ${held})`;
  if (status === 'active') return sql`(${subscription.status} = 'active' AND NOT ${held})`;
  return sql`${subscription.status} = ${status}`;
}

export const subscriptionList = {
  from: sql`${subscription}`,
  id: subscription.id,
  defaultSort: '-id',
  searches: 'a user name or its beginning',
  fields: {
    id: { kind: 'integer', value: subscription.id, sortable: true },
    customer_id: { kind: 'integer', value: subscription.customerId },
    service_id: { kind: 'integer', value: subscription.serviceId },
    tariff_id: { kind: 'integer', value: subscription.tariffId },
    status: { kind: 'text', value: shownStatus, choices: shownStatuses, equals: statusIs },
    paid_until: { kind: 'instant', value: subscription.paidUntil, nullable: true },
    created_at: { kind: 'instant', value: subscription.createdAt },
  },
} as const satisfies ListDefinition;
export const SubscriptionQuery = listQuery(subscriptionList);
export const SubscriptionsReply = listReply(SubscriptionReply);

export const OwnParams = strict({ id: Id });
export const CustomerParams = strict({ id: Id, subscription_id: Id });
