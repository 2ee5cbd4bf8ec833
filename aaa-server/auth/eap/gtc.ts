// EAP-GTC, Generic Token Card (RFC 3748 §5.6): the password itself, which a tunnel should hide.
import { eapType } from '../../wire/eap.ts';
import { type Checked, unchecked } from '../credentials.ts';
import { failure, type MethodMaker, type MethodTurn, request } from './method.ts';

const prompt = Buffer.from('Password: ');

export const gtcMethod: MethodMaker = {
  type: eapType.gtc,
  needs: 'eap_gtc',
  create({ tenantId, identity, credential, credentials }) {
    const turnOf = (checked: Checked): MethodTurn => {
      if (checked === 'right' && credential) return { kind: 'success', credential, keys: null };
      if (checked === 'right' || checked === 'wrong') return failure(credential ? 'wrong_password' : 'unknown_user');
      return unchecked(checked);
    };
    return {
      begin: () => request(prompt),
      answer(data) {
        const checked = credentials.check(tenantId, credential, data, identity);
        return checked instanceof Promise ? checked.then(turnOf) : turnOf(checked);
      },
      close: () => undefined,
    };
  },
};
