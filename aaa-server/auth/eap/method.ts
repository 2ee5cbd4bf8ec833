// What a method of EAP is to the conversation that runs it: one file in this folder per method.
import type { PasswordMethod } from '#policy/credentials/password-scheme.ts';
import type { LoginFailure } from '../../counters.ts';
import type { CredentialRecord } from '../../subscribers/records.ts';
import type { MppeKeys } from '../../wire/mschap.ts';
import type { Credentials } from '../credentials.ts';
import type { Dropped } from '../proof.ts';

/** `keys`: of the encryption between subscriber and access server, null where the method makes none. */
export type Success = {
  readonly kind: 'success';
  readonly credential: CredentialRecord;
  readonly keys: MppeKeys | null;
};
export type Failure = { readonly kind: 'failure'; readonly reason: LoginFailure };
export type MethodTurn = { readonly kind: 'request'; readonly data: Buffer } | Success | Failure | Dropped;

export type MethodContext = {
  readonly tenantId: number;
  /** What the subscriber said in answer to the Identity Request. */
  readonly identity: string;
  /** Whose identity it is. */
  readonly credential: CredentialRecord | undefined;
  readonly credentials: Credentials;
  /** Octets of a packet at most, where the access server told (Framed-MTU). */
  readonly mtu: number | undefined;
};

export type EapMethod = {
  /** The first Request. */
  begin(): MethodTurn;
  /** What follows on the data of a Response. */
  answer(data: Buffer, identifier: number): MethodTurn | Promise<MethodTurn>;
  close(): void;
};

export type MethodMaker = {
  readonly type: number;
  /** What the stored password must be able to serve; null: it is proven otherwise, or inside a tunnel. */
  readonly needs: PasswordMethod | null;
  /** Whether it can prove subscribers of this tenant; absent: of any. */
  serves?(tenantId: number): boolean;
  create(context: MethodContext): EapMethod;
};

export function request(data: Buffer): MethodTurn {
  return { kind: 'request', data };
}

export function failure(reason: LoginFailure): Failure {
  return { kind: 'failure', reason };
}
