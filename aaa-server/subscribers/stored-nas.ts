// Access servers in snapshots of older versions, which knew only whether a Message-Authenticator is required.
import type { NasRecord } from './records.ts';

type New = 'messageAuthenticator' | 'limitProxyState' | 'replyMessageAuthenticator' | 'learnSinceMs';
export type StoredNas = Omit<NasRecord, New> &
  Partial<Pick<NasRecord, New>> & { readonly requireMessageAuthenticator?: boolean };

/** As the migration of the database does it; the feed brings the new record when PostgreSQL is there. */
export function completeNas({ requireMessageAuthenticator, ...stored }: StoredNas): NasRecord {
  return {
    messageAuthenticator: requireMessageAuthenticator === false ? 'no' : 'yes',
    limitProxyState: 'yes',
    replyMessageAuthenticator: true,
    learnSinceMs: 0,
    ...stored,
  };
}
