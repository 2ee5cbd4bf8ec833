// What signing in takes and gives.
import Type from 'typebox';
import { choice, strict } from '../fields.ts';
import { permissions, roles } from '../permissions.ts';

const Secret = Type.String({ minLength: 1, maxLength: 1024 });
const Identifier = Type.String({ minLength: 1, maxLength: 254 });

export const LoginBody = strict({
  tenant: Type.Optional(Type.String({ maxLength: 63, description: 'slug; absent for a super admin' })),
  identifier: Type.Optional(Identifier),
  email: Type.Optional(Type.String({ maxLength: 254, description: 'alias of identifier' })),
  password: Secret,
});

export const RefreshBody = strict({ refresh_token: Type.String({ minLength: 1, maxLength: 200 }) });

export const TokensReply = Type.Object({
  access_token: Type.String(),
  refresh_token: Type.String(),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer({ description: 'seconds until the access token expires' }),
});

export const MeReply = Type.Object({
  id: Type.Integer(),
  email: Type.String(),
  role: choice(roles),
  permissions: Type.Array(choice(permissions)),
});
