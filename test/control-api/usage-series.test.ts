// The usage of a subscription over time: which steps are asked of the history, and what is refused.
import t from 'tap';
import { apiForTest, makeTenant } from './api.ts';

t.test('usage over time', async (t) => {
  const api = await apiForTest(t);
  const tenantId = await makeTenant(api, 'fiber');
  await api.owner.query("UPDATE tenant SET time_zone = 'Europe/Berlin' WHERE id = $1", [tenantId]);
  const call = await api.signIn('admin@fiber.example', 'fiber');
  const made = async (url: string, body: unknown) => {
    const reply = await call('POST', url, body);
    if (reply.status !== 201) throw new Error(JSON.stringify(reply.body));
    return reply.body;
  };
  const service = await made('/services/internet', {
    ...{ name: 'Basic', bandwidth_down: 20, bandwidth_up: 5, monthly_fee: '1.00', suspend_action: 'reject' },
  });
  const customer = await made('/customers', { name: 'Rahima' });
  const login = { service_id: service.id, user_name: 'rahima', password: 'pass123' };
  const { id } = await made(`/customers/${customer.id}/services`, login);
  const usage = (query: string) => call('GET', `/subscriptions/${id}/usage${query}`);
  // The clocks go forward on 29 March 2026.
  const day = Date.UTC(2026, 2, 28, 23);
  api.history.sums.push({ subscriptionId: id, fromMs: day, upBytes: 5, downBytes: 70 });

  await t.test('days of the zone, those without bytes too', async (t) => {
    api.clock.nowMs = Date.UTC(2026, 2, 30, 10);
    api.ledger.completeMs = Date.UTC(2026, 2, 30, 9, 59, 58, 500);
    const reply = await usage('?from=2026-03-28T12:00:00Z&step=day');
    t.equal(reply.status, 200, JSON.stringify(reply.body));
    t.strictSame(reply.body.series, [
      { from: '2026-03-27T23:00:00.000Z', up_bytes: 0, down_bytes: 0, total_bytes: 0 },
      { from: '2026-03-28T23:00:00.000Z', up_bytes: 5, down_bytes: 70, total_bytes: 75 },
      { from: '2026-03-29T22:00:00.000Z', up_bytes: 0, down_bytes: 0, total_bytes: 0 },
    ]);
    t.equal(reply.body.complete_until, '2026-03-30T09:59:58.500Z');
    t.match(reply.body, { today: { total_bytes: 0 }, all_time: { total_bytes: 0 } }, 'the live counters are there too');
    const same = await call('GET', `/customers/${customer.id}/services/${id}/usage?from=2026-03-28T12:00:00Z&step=day`);
    t.strictSame(same.body, reply.body, 'both paths have one handler');
  });

  await t.test('hours of the wall clock: the day the clocks go forward has 23', async (t) => {
    const reply = await usage('?from=2026-03-29T00:00:00%2B01:00&to=2026-03-30T00:00:00%2B02:00&step=hour');
    t.equal(reply.body.series.length, 23);
    t.match(reply.body.series[0], { from: '2026-03-28T23:00:00.000Z', total_bytes: 75 });
    t.match(api.history.asked.at(-1), { tenantId, subscriptionIds: [id] });
    t.strictSame(api.history.asked.at(-1)?.boundEdgesMs, [day, Date.UTC(2026, 2, 29, 22)]);
  });

  await t.test('without from, to and step the history is not asked', async (t) => {
    const asked = api.history.asked.length;
    t.strictSame(Object.keys((await usage('')).body), ['today', 'this_month', 'all_time']);
    t.equal(api.history.asked.length, asked);
  });

  await t.test('a range that is wrong or too long is refused', async (t) => {
    const wrong = [
      'step=day',
      'from=2026-03-28T12:00:00Z',
      'from=2026-03-28&step=day',
      'from=2026-03-28T12:00:00Z&step=week',
      'from=2026-03-28T12:00:00Z&to=2026-03-28T12:00:00Z&step=day',
      'from=1910-03-28T12:00:00Z&step=day',
      'from=2026-03-28T12:00:00Z&step=day&until=2026-03-29T12:00:00Z',
    ];
    for (const query of wrong) {
      t.match(await usage(`?${query}`), { status: 400, body: { code: 'validation_failed' } }, query);
    }
    for (const [from, step] of [
      ['2023-01-01', 'day'],
      ['2025-12-01', 'hour'],
    ])
      t.match(await usage(`?from=${from}T00:00:00Z&to=2026-03-29T00:00:00Z&step=${step}`), {
        status: 400,
        body: { code: 'series_too_long' },
      });
    const longest = await usage('?from=2026-01-01T00:00:00Z&to=2026-04-03T00:00:00Z&step=hour');
    t.equal(longest.body.series.length, 92 * 24);
  });

  await t.test('while ClickHouse is away the live counters still are', async (t) => {
    api.history.away = true;
    t.match(await usage('?from=2026-03-28T12:00:00Z&step=day'), { status: 503, body: { code: 'history_unavailable' } });
    t.equal((await usage('')).status, 200);
  });

  await t.test('of another tenant there is nothing to see', async (t) => {
    await makeTenant(api, 'other');
    const other = await api.signIn('admin@other.example', 'other');
    const reply = await other('GET', `/subscriptions/${id}/usage?from=2026-03-28T12:00:00Z&step=day`);
    t.match(reply, { status: 404, body: { code: 'subscription_unknown' } });
  });
});
