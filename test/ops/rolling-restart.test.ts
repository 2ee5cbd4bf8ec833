// `npm run restart` under a steady load that repeats nothing: no request is lost, none is answered twice, every record is counted.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { codeOf } from '#ops/runtime/errors.ts';
import { askControl } from '#ops/up/control-socket.ts';
import { scriptedNas } from '#test/aaa-server/enforcement/scripted-nas.ts';
import { testAuthority } from '#test/aaa-server/radsec/certificates.ts';
import { pap, radsecClient } from '#test/aaa-server/radsec/client.ts';
import { makeCertificates } from '#test/aaa-server/support/certificates.ts';
import { eapolTest } from '#test/support/eapol-test.ts';
import { isLong } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { restart } from '#test/support/restart.ts';
import { freePorts, type Stack, startStack } from '#test/support/stack.ts';
import { type SteadyLoad, startLoad } from '#test/support/steady-load.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(isLong ? 3_500_000 : 900_000);

const root = path.resolve(import.meta.dirname, '../..');
const users = 40;
const perSecond = isLong ? 400 : 120;
/** How often everything is restarted. */
const rounds = isLong ? 10 : 1;

type Test = Pick<typeof t, 'teardown' | 'equal' | 'ok' | 'fail'>;

const portOf = (target: string) => Number(target.split(':')[1]);
const aaa = (stack: Stack) => stack.pidOf('aaa-server/main.ts');

/** It only looks at its settings, or has ended. */
function isCheck(pid: number): boolean {
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return commandLine === '' || commandLine.includes('--check');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return true;
    throw error;
  }
}

function load(stack: Stack): SteadyLoad {
  const ports = { authPort: portOf(stack.authTarget), acctPort: portOf(stack.acctTarget) };
  return startLoad({ ...ports, secret: 'testing123', perSecond, users });
}

const answered = (running: SteadyLoad, more: number) => {
  const before = running.sent.length;
  return until(
    () => running.sent.slice(before).filter(({ answers }) => answers > 0).length >= more,
    `${more} more requests are sent and answered`,
    60_000,
  );
};

const whatIs = (lost: readonly { kind: string; sentAt: number }[]) =>
  JSON.stringify(lost.map(({ kind, sentAt }) => `${kind} at ${Math.round(sentAt)}`).slice(0, 20));

/**
 * Logins that were turned away because the machine is too busy for them (counted `overload`), up to a tenth of a second before a process
 * ended: on a machine that does much else these are no losses of a restart.
 */
function watchOverload(stack: Stack) {
  const byProcess = new Map<string, number>();
  const look = async () => {
    const text = await fetch(`${stack.aaaAdminUrl}/metrics`).then(
      (response) => response.text(),
      () => '',
    );
    const value = (line: RegExp) => line.exec(text)?.[1] ?? '';
    const startedAt = value(/^process_start_time_seconds\{.* (\S+)$/m);
    const turnedAway = value(/^lastmile_radius_dropped_total\{reason="overload".* (\S+)$/m);
    if (startedAt && turnedAway) byProcess.set(startedAt, Number(turnedAway));
  };
  const timer = setInterval(look, 100);
  return async () => {
    clearInterval(timer);
    await look();
    return [...byProcess.values()].reduce((sum, count) => sum + count, 0);
  };
}

/** Each of them once, as it should be. */
function allAnswered(t: Test, { sent, unanswered, strays }: SteadyLoad, turnedAway = 0): void {
  const lost = unanswered();
  const logins = lost.filter(({ kind }) => kind === 'access');
  t.equal(lost.length - logins.length, 0, `no record is lost: ${whatIs(lost)}`);
  const more = turnedAway > 0 ? `, ${turnedAway} were turned away` : '';
  t.ok(logins.length <= turnedAway, `of ${sent.length} requests none is lost: ${whatIs(logins)}${more}`);
  t.equal(sent.filter(({ answers }) => answers > 1).length, 0, 'none is answered twice');
  t.equal(strays(), 0, 'nothing else was answered');
  const expected = { access: 'Access-Accept', accounting: 'Accounting-Response' };
  t.equal(sent.filter(({ kind, code }) => code !== '' && code !== expected[kind]).length, 0, 'each as it should be');
}

/** What the ledger counted for every user: each record that was acknowledged, and none that was not sent. */
async function allCounted(stack: Stack, loads: readonly SteadyLoad[]): Promise<void> {
  const sums = new Map<string, { least: number; most: number }>();
  for (const { user, bytes, answers } of loads.flatMap(({ sent }) => sent)) {
    const sum = sums.get(user) ?? { least: 0, most: 0 };
    sums.set(user, { least: sum.least + (answers > 0 ? bytes : 0), most: sum.most + bytes });
  }
  for (const [user, { least, most }] of sums) {
    let counted = 0;
    await until(
      async () => {
        const found = (await stack.api('GET', `/subscriptions?search=${user}`)) as { data: { id: number }[] };
        const usage = (await stack.api('GET', `/subscriptions/${found.data[0]!.id}/usage`)) as {
          all_time: { up_bytes: number };
        };
        counted = usage.all_time.up_bytes;
        return counted >= least && counted <= most;
      },
      () => `${user} has its ${least} bytes (at most ${most}), not ${counted}`,
      60_000,
    );
  }
}

/** One login of many rounds after the other, each of which must succeed. */
function loginsByPeap(t: Test, folder: string, authPort: number) {
  const quoted = (text: string) => `"${text}"`;
  const device = {
    ...{ eap: 'PEAP', identity: quoted('user2'), password: quoted('pass123'), ca_cert: quoted('ca.pem') },
    ...{ anonymous_identity: quoted('anonymous'), phase2: quoted('auth=MSCHAPV2') },
  };
  let asking = true;
  let logins = 0;
  const asker = (async () => {
    for (; asking; logins++) {
      const { ok, output } = await eapolTest(folder, authPort, device, true);
      if (!ok) t.fail(`login ${logins}`, { output: output.slice(-4000) });
    }
  })();
  return {
    logins: () => logins,
    stop() {
      asking = false;
      return asker;
    },
  };
}

/** One login after the other over RadSec, over a new connection when the one before has ended. */
async function loginsByRadsec(t: Test, connect: () => ReturnType<typeof radsecClient>) {
  const connected = () =>
    until(
      async () => {
        const client = await connect();
        client.send(pap('user0', 'pass123'));
        return (await client.packet(1).catch(() => undefined)) && client;
      },
      'the access server is known at the edge',
      60_000,
    );
  let nas = await connected();
  let logins = 0;
  let connections = 1;
  let asking = true;
  const asker = (async () => {
    for (; asking; logins++) {
      const before = nas.received.length;
      nas.send(pap('user0', 'pass123'));
      await until(() => nas.received.length > before || nas.closed(), 'an answer, or the end', 30_000);
      if (nas.received.length > before) continue;
      // What was not read when the connection ended is asked again over the next one, as RadSec has it (RFC 6614 §2.1).
      nas = await connect();
      if (nas.error() !== '') t.fail(`the connection was refused: ${nas.error()}`);
      connections++;
    }
  })();
  return {
    logins: () => logins,
    connections: () => connections,
    stop() {
      asking = false;
      return asker;
    },
  };
}

/** A release of aaa-server in a folder of its own, with this main.ts. */
function release(t: Test, main: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-release-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(path.join(root, 'ops'), path.join(folder, 'ops'));
  mkdirSync(path.join(folder, 'aaa-server'));
  writeFileSync(path.join(folder, 'aaa-server/main.ts'), main);
  return folder;
}

const unlessChecked = "if (!process.argv.includes('--check'))";

/** It prepares itself and then cannot start. */
function brokenRelease(t: Test, start: string): string {
  const from = (file: string) => JSON.stringify(path.join(root, file));
  return release(
    t,
    `import { run } from ${from('ops/runtime/lifecycle.ts')};
import { createLogger } from ${from('ops/runtime/log.ts')};
const part = { name: 'a part of the new release', start: async () => { ${start} }, stop: async () => {} };
${unlessChecked} await run([part], createLogger('aaa-server', 'info'));
`,
  );
}

t.test(
  'aaa-server is replaced under load',
  { timeout: isLong ? 3_000_000 : 600_000, skip: missing('redis-server', 'radclient', 'eapol_test', 'openssl') },
  async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    makeCertificates(folder);
    const authority = testAuthority(t);
    const tower = authority.nas('tower');
    const [radsecPort = 0] = await freePorts(1);
    const stack = await startStack(t, {
      RADSEC_PORT: String(radsecPort),
      RADSEC_CERT: authority.server.certFile,
      RADSEC_KEY: authority.server.keyFile,
      RADSEC_CA: authority.caFile,
      RADSEC_CRL: authority.crlFile,
      EAP_TLS_CERT_FILE: path.join(folder, 'radius.example.net.pem'),
      EAP_TLS_KEY_FILE: path.join(folder, 'radius.example.net.key'),
    });
    await stack.seed(users + 1);
    // No CoA of this stack may reach the access server of another test.
    const [nas] = ((await stack.api('GET', '/nas')) as { data: { id: number }[] }).data;
    const device = await scriptedNas(t);
    await stack.api('PATCH', `/nas/${nas!.id}`, { mode: 'observe', coa_port: device.port });
    const ready = () =>
      until(async () => (await fetch(`${stack.aaaAdminUrl}/readyz`)).ok, 'aaa-server is ready', 60_000);
    await ready();
    const loads: SteadyLoad[] = [];
    const begin = () => {
      const running = load(stack);
      loads.push(running);
      return running;
    };

    const throttled = `user${users}`;
    const found = (await stack.api('GET', `/subscriptions?search=${throttled}`)) as { data: { id: number }[] };
    const session = () =>
      stack.api('GET', `/subscriptions/${found.data[0]!.id}/enforcement`) as Promise<{
        mode: string;
        sessions: { desired: string; acked: string }[];
      }>;
    let teller = 0;

    await t.test('a CoA is told to a device that does not answer it', async (t) => {
      // A session that showed no Class may be told its full speed first.
      device.answer = ({ rate }) => (rate === '2M/2M' ? null : 'ack');
      await stack.api('PATCH', `/nas/${nas!.id}`, { mode: 'enforce' });
      await until(async () => (await session()).mode === 'enforce', 'enforcement is on', 30_000);
      const report = async (status: string, ...more: string[]) => {
        const about = [`User-Name = "${throttled}"`, 'Acct-Session-Id = "rolling-coa"', `Acct-Status-Type = ${status}`];
        const answer = await radclient(stack.acctTarget, 'acct', [...about, 'NAS-IP-Address = 127.0.0.1', ...more]);
        t.equal(answer.code, 'Accounting-Response');
      };
      await report('Start', 'Acct-Session-Time = 0');
      // 4 × 2³² octets: beyond the 10 GB of the tariff.
      await report('Interim-Update', 'Acct-Session-Time = 60', 'Acct-Output-Octets = 0', 'Acct-Output-Gigawords = 4');
      const toldOf = () =>
        device.received.filter(({ sessionId, rate }) => sessionId === 'rolling-coa' && rate === '2M/2M');
      await until(() => toldOf().length > 0, 'the device is told', 90_000);
      teller = aaa(stack);
    });

    await t.test('by other settings: by the other driver, with more and with fewer workers', async (t) => {
      const running = begin();
      const turnedAway = watchOverload(stack);
      let asking = true;
      const codes: string[] = [];
      const asker = (async () => {
        const login = ['User-Name = "user1"', 'User-Password = "pass123"', 'Message-Authenticator = 0x00'];
        while (asking) codes.push((await radclient(stack.authTarget, 'auth', login, { timeoutS: 10 })).code);
      })();
      const others = [
        ['UDP_DRIVER=dgram', 'AAA_WORKERS=1'],
        ['UDP_DRIVER=', 'AAA_WORKERS=3'],
      ];
      const steps = isLong ? [[], ...others, [], ['AAA_WORKERS=4'], ['AAA_WORKERS=2']] : others;
      for (const step of Array.from({ length: rounds }, () => steps).flat()) {
        await answered(running, 100);
        const before = aaa(stack);
        const { status, output } = await restart(stack, ...step);
        t.equal(status, 0, `restart ${step.join(' ')}: ${output}`);
        t.not(aaa(stack), before, 'another process serves');
        // The work of the one that told it is taken up half a minute after that: it is looked at when the others are done.
        device.answer = () => 'ack';
      }
      await answered(running, 100);
      asking = false;
      await asker;
      await running.stop();
      const overload = await turnedAway();
      const refused = codes.filter((code) => code !== 'Access-Accept').length;
      t.ok(refused <= overload, `radclient, ${codes.length} times without a repetition, was answered but ${refused}`);
      allAnswered(t, running, overload - refused);
      const longest = Math.max(...running.sent.map(({ tookMs }) => tookMs));
      t.comment(`${running.sent.length} requests, the longest waited ${Math.round(longest)} ms`);
    });

    await t.test(
      'by the same code: logins of many rounds by PEAP, and connections of RadSec, come to their end',
      async (t) => {
        await stack.api('POST', '/nas', {
          ...{ name: 'tower', address: '100::7', secret: 'not used inside TLS', vendor: 'mikrotik' },
          radsec_identity: 'cn:tower',
        });
        const running = begin();
        const peap = loginsByPeap(t, folder, portOf(stack.authTarget));
        const radsec = await loginsByRadsec(t, () =>
          radsecClient(t, { port: radsecPort, ca: authority.material().ca, ...tower }),
        );
        const some = async () => {
          const [before, rounds] = [radsec.logins(), peap.logins()];
          await answered(running, 100);
          await until(() => radsec.logins() > before + 50 && peap.logins() > rounds, 'more logins of both', 60_000);
        };
        for (let times = 0; times < rounds; times++) {
          await some();
          const { status, output } = await restart(stack);
          t.equal(status, 0, output);
        }
        await some();
        await Promise.all([peap.stop(), radsec.stop()]);
        await running.stop();
        allAnswered(t, running);
        t.ok(peap.logins() > 2, `${peap.logins()} logins by PEAP`);
        // A worker that stops a moment later than the other may take the new one, and end it too.
        const more = radsec.connections() - 1;
        t.ok(more >= rounds && more <= 2 * rounds, `${more} connections more: one or two for each restart`);
      },
    );

    await t.test('the CoA that was not answered before the changes is told again after them', async (t) => {
      t.not(aaa(stack), teller);
      await until(
        async () => {
          const [state] = (await session()).sessions;
          return state?.acked === state?.desired && state?.acked.includes('2000000/2000000');
        },
        () => `the answer is shown to one of ${device.received.length} requests`,
        90_000,
      );
      await stack.api('PATCH', `/nas/${nas!.id}`, { mode: 'observe' });
    });

    await t.test('a wrong setting leaves the running one untouched', async (t) => {
      const running = begin();
      await answered(running, 100);
      const before = aaa(stack);
      const { status, output } = await restart(stack, 'REJECT_DELAY_MS=soon', 'AAA_ADMIN_PORT=70000');
      t.equal(status, 1);
      t.match(output, /REJECT_DELAY_MS is "soon"/);
      t.match(output, /AAA_ADMIN_PORT is "70000"/);
      t.match(output, /goes on untouched/);
      const whole = await restart(stack, 'REDIS_URL=redis://127.0.0.1:1');
      t.equal(whole.status, 1);
      t.match(whole.output, /REDIS_URL: only a stop and a start/);
      t.equal(aaa(stack), before, 'the same process serves');
      await answered(running, 100);
      await running.stop();
      allAnswered(t, running);
    });

    await t.test('a release that cannot start gives way to the former one', async (t) => {
      const running = begin();
      await answered(running, 100);
      const starts = [
        [`setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100); await new Promise(() => {})`, /SIGKILL/],
        [`throw new Error('cannot')`, /exit code 1/],
      ] as const;
      for (const [start, problem] of isLong ? starts : starts.slice(0, 1)) {
        const request = { restart: 'aaa-server', settings: {}, repository: brokenRelease(t, start) };
        const outcome = await askControl(stack.dataDir, request, () => undefined);
        t.match(outcome, { ok: false, serves: 'former again', problem });
        await answered(running, 100);
      }
      await running.stop();
      allAnswered(t, running);
      await ready();
    });

    await t.test('kill -9 of the new one while it prepares changes nothing', async (t) => {
      const running = begin();
      await answered(running, 100);
      const before = aaa(stack);
      // One that is not done with its preparations before it is killed.
      const repository = release(t, `${unlessChecked} setInterval(() => {}, 1000);\n`);
      const restarting = askControl(
        stack.dataDir,
        { restart: 'aaa-server', settings: {}, repository },
        () => undefined,
      );
      const pid = await until(
        () => stack.pidsOf(path.join(repository, 'aaa-server/main.ts')).find((one) => !isCheck(one)),
        'the new one is there',
        30_000,
      );
      process.kill(pid, 'SIGKILL');
      t.match(await restarting, { ok: false, serves: 'former untouched', problem: /SIGKILL/ });
      t.equal(aaa(stack), before);
      await running.stop();
      allAnswered(t, running);
    });

    await t.test('kill -9 of the running one: what is sent afterwards waits for the next', async (t) => {
      const running = begin();
      await answered(running, 100);
      const killed = aaa(stack);
      const killedAt = performance.now();
      process.kill(killed, 'SIGKILL');
      await until(() => stack.pidsOf('aaa-server/main.ts').some((pid) => pid !== killed), 'another one', 30_000);
      await answered(running, 100);
      await running.stop();
      const lost = running.unanswered();
      t.ok(
        lost.every(({ sentAt }) => sentAt <= killedAt),
        `nothing that was sent after the end is lost: ${whatIs(lost)}, killed at ${Math.round(killedAt)}`,
      );
      t.comment(`${lost.length} requests were being handled when it was killed`);
      t.equal(running.sent.filter(({ answers }) => answers > 1).length, 0);
    });

    await t.test('every record of all of it is counted to the byte', async (t) => {
      await allCounted(stack, loads);
      t.pass(`${loads.flatMap(({ sent }) => sent).length} requests`);
    });
  },
);

t.test('without a running one, and with wrong arguments, nobody is asked', async (t) => {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'lastmile-nobody-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const nobody = await restart({ dataDir });
  t.equal(nobody.status, 2);
  t.match(nobody.output, `no \`npm start\` runs in ${dataDir}`);
  const wrong = await restart({ dataDir }, '--quickly');
  t.equal(wrong.status, 2);
  t.match(wrong.output, /usage: npm run restart/);
});
