// The settings of EAP, which aaa-server uses and doctor examines.
import Type from 'typebox';
import { type EapMethodName, eapMethodNames } from '#policy/credentials/eap-methods.ts';
import { text } from './settings.ts';

export const eapSettings = {
  EAP_METHODS: Type.Array(Type.Unsafe<EapMethodName>(Type.Enum([...eapMethodNames])), {
    default: [...eapMethodNames],
    description: `methods of EAP in the order in which they are offered, comma-separated: ${eapMethodNames.join(', ')}`,
  }),
  EAP_TLS_CERT: text({
    default: '',
    description:
      'certificate of this server and those above it, PEM, for PEAP, TTLS and EAP-TLS; empty = none of these',
  }),
  EAP_TLS_KEY: text({ default: '', secret: true, description: 'private key of EAP_TLS_CERT, PEM' }),
  EAP_TLS_CA: text({
    default: '',
    description: 'who signs the certificates of subscribers, PEM; empty = no EAP-TLS',
  }),
  EAP_TLS_TENANT: text({
    default: '',
    description:
      'slug of the tenant whose subscribers have certificates of EAP_TLS_CA; empty = the only tenant, with a second one EAP-TLS is refused',
  }),
  EAP_TLS_CRL: text({
    default: '',
    description:
      'certificates that are revoked: one list of each signer in EAP_TLS_CA, PEM; empty = none is looked for',
  }),
};
