// The settings of the auth log, part of the settings of aaa-server.
import Type from 'typebox';

export const loginLogSettings = {
  AUTH_LOG_ACCEPTS_PER_SECOND: Type.Integer({
    minimum: 0,
    maximum: 100_000,
    default: 200,
    description:
      'so many Access-Accepts of each RADIUS worker go into the auth log in a second; the others are only counted',
  }),
  AUTH_LOG_REJECTS_PER_SECOND: Type.Integer({
    minimum: 0,
    maximum: 100_000,
    default: 1000,
    description:
      'so many Access-Rejects of each RADIUS worker go into the auth log one by one in a second; of others their number',
  }),
};
