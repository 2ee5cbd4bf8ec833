// The settings of the RADIUS proxy.
import Type from 'typebox';

export const proxySettings = {
  PROXY_KEEP_H: Type.Integer({
    minimum: 1,
    maximum: 8760,
    default: 72,
    description:
      'for so many hours accounting waits for a server that it is forwarded or copied to; then it is lost, and counted',
  }),
  PROXY_LOG_BYTES: Type.Integer({
    minimum: 1_048_576,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 1_073_741_824,
    description:
      'so much accounting waits at most for each realm and copy, per worker; what is older is lost, and counted',
  }),
};
