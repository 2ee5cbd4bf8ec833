// What is measured, for every server that can do it.
import { oneCore, type Placement, twoCores } from '../machine/placement.ts';

export type RadiusCase = {
  readonly title: string;
  readonly request: 'pap' | 'chap' | 'accounting';
  readonly placement: Placement;
  readonly sourcePorts: number;
  /** Requests outstanding. */
  readonly window: number;
  /** Measured once more at half of the rate it reached: the latency that subscribers feel. */
  readonly halfLoad: boolean;
  /** Each login is another subscriber's, who has one session at most and gets an address of a pool. */
  readonly network?: true;
};

const window = 256;
const ports = 16;

export function radiusCases(): Readonly<
  Record<'one' | 'onePort' | 'chap' | 'two' | 'network' | 'acctOne' | 'acctTwo', RadiusCase>
> {
  const [one, two] = [oneCore(), twoCores()];
  const login = { request: 'pap', sourcePorts: ports, window, halfLoad: false } as const;
  const record = { request: 'accounting', sourcePorts: ports, window, halfLoad: false } as const;
  return {
    one: { ...login, title: 'PAP', placement: one, halfLoad: true },
    onePort: { ...login, title: 'PAP, one source port', placement: one, sourcePorts: 1 },
    chap: { ...login, title: 'CHAP', request: 'chap', placement: one },
    two: { ...login, title: 'PAP', placement: two },
    network: { ...login, title: 'PAP, pool and session limit', placement: two, network: true },
    acctOne: { ...record, title: 'accounting', placement: one, halfLoad: true },
    acctTwo: { ...record, title: 'accounting', placement: two },
  };
}
