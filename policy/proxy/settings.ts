// What can be said of home servers and realms; the words are those of the API and of the database.

export const authenticationPlaces = ['local', 'forward'] as const;
/** Who decides the logins of a realm. */
export type AuthenticationPlace = (typeof authenticationPlaces)[number];

export const accountingPlaces = ['local', 'forward', 'both'] as const;
/** Who gets the accounting of a realm. */
export type AccountingPlace = (typeof accountingPlaces)[number];

export const serverChoices = ['order', 'spread'] as const;
/** order: the first that is alive. spread: each subscriber has one of those that are alive, always the same. */
export type ServerChoice = (typeof serverChoices)[number];

export const unreachableAnswers = ['silence', 'reject'] as const;
/** What a login gets that no home server answers; with silence the access server asks its next RADIUS server. */
export type UnreachableAnswer = (typeof unreachableAnswers)[number];

export const healthChecks = ['status_server', 'none'] as const;
export type HealthCheck = (typeof healthChecks)[number];

/** Of every realm that has no entry of its own. */
export const defaultRealm = 'default';

/** How the value of an attribute is hidden (RFC 2865 §5.2; RFC 2868 §3.5, RFC 2548 §2.4.2), so that it has to be hidden anew for whom it goes to. */
export const hidings = ['none', 'password', 'salted'] as const;
export type Hiding = (typeof hidings)[number];

/** An attribute of replies that a realm lets through. */
export type AllowedAttribute = {
  readonly name: string;
  /** 0: a standard attribute. */
  readonly vendor: number;
  readonly type: number;
  readonly hiding: Hiding;
  /** Its value begins with a tag (RFC 2868 §3.1). */
  readonly tagged: boolean;
};

/** What the secret of a home server is encrypted for (keyring purpose 'nas'): it moves to no other tenant or address. */
export function homeServerPlace(tenantId: number, address: string): string {
  return `${tenantId}:home:${address}`;
}
