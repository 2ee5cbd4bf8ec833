// The settings of enforcement, part of the settings of aaa-server.
import Type from 'typebox';

export const enforcementSettings = {
  COA_FALLBACK: Type.Union([Type.Literal('disconnect'), Type.Literal('none')], {
    default: 'disconnect',
    description:
      'what follows a CoA that an access server refuses: a Disconnect, so that the next login applies it, or nothing',
  }),
  ENFORCEMENT_SWEEP_S: Type.Integer({
    minimum: 5,
    maximum: 3600,
    default: 60,
    description: 'how often every live session is compared with what it should be',
  }),
};
