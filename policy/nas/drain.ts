// A drain keeps new logins away from an access server; the sessions that are there stay, or are moved by ending them at a pace.

/** silence: no answer, so that the subscriber is heard by another access server. reject: told no at once. */
export const drainAnswers = ['silence', 'reject'] as const;
export type DrainAnswer = (typeof drainAnswers)[number];

/** Sessions ended in a second at most: their subscribers log in again at once, elsewhere. */
export const fastestMovePerS = 100;
