// The page at /: signs in, then reads the API every few seconds. Each card tells its own trouble; none takes the others down.
const refreshMs = 5000;
const tokenKey = 'lastmile.access_token';
const refreshKey = 'lastmile.refresh_token';
const tenantKey = 'lastmile.tenant';
const $ = (id) => document.getElementById(id);

class ApiProblem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `the API answered ${status}`);
    this.status = status;
  }
}

/** An access token that has ended is exchanged once. */
async function api(path, options = {}) {
  try {
    return await call(path, options);
  } catch (error) {
    const refreshToken = sessionStorage.getItem(refreshKey);
    if (!(error instanceof ApiProblem && error.status === 401) || !refreshToken) throw error;
    sessionStorage.removeItem(refreshKey);
    remember(await call('/auth/refresh', { method: 'POST', body: { refresh_token: refreshToken } }));
    return call(path, options);
  }
}

function remember({ access_token, refresh_token }) {
  sessionStorage.setItem(tokenKey, access_token);
  sessionStorage.setItem(refreshKey, refresh_token);
}

async function call(path, { method = 'GET', body, inTenant = true } = {}) {
  const token = sessionStorage.getItem(tokenKey);
  const tenant = sessionStorage.getItem(tenantKey);
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(tenant && inTenant ? { 'x-tenant': tenant } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  const parsed = text === '' ? undefined : JSON.parse(text);
  if (!response.ok) throw new ApiProblem(response.status, parsed);
  return parsed;
}

// ---- What is drawn. Text only ever becomes text: nothing of the API is read as HTML.

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** `columns`: [title, cell of a row, class]. A cell is a text or an element. */
function table(rows, columns, empty) {
  if (rows.length === 0) return element('p', { className: 'quiet', textContent: empty });
  const head = columns.map(([title, , className = '']) => element('th', { textContent: title, className }));
  const body = rows.map((row) =>
    element('tr', {}, ...columns.map(([, cell, className = '']) => element('td', { className }, cell(row)))),
  );
  return element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...body));
}

const status = (good, text) => element('span', { className: good ? 'good' : 'bad', textContent: text });
const span = ({ from, until }) => `${new Date(from).toLocaleString()} – ${new Date(until).toLocaleString()}`;
const time = (text) => new Date(text).toLocaleTimeString();

function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${(count / 1000 ** power).toLocaleString(undefined, { maximumFractionDigits: power ? 1 : 0 })} ${units[power]}`;
}

/** `throttle:2000000/2000000:fup` as people say it. */
function outcome(text) {
  const [kind = '', detail = '', reason = ''] = text.split(':');
  const speed = /^(\d+)\/(\d+)$/.exec(detail);
  const mbps = (bps) => Number(bps) / 1e6;
  if (speed) return `${kind} ${mbps(speed[2])} down, ${mbps(speed[1])} up Mbps${reason ? ` (${reason})` : ''}`;
  return [kind, detail, reason].filter((part) => part !== '').join(' ');
}

const resultOf = ({ result, error_cause }) =>
  status(result === 'ack', error_cause === null ? result : `${result} ${error_cause}`);

const cards = {
  online: async () => {
    const { online } = await api('/sessions/count');
    return document.createTextNode(Number(online).toLocaleString());
  },
  health: async () => {
    const { version, processes } = await api('/system', { inTenant: false });
    $('version').textContent = version;
    const rows = processes.flatMap(({ name, ready, problem, checks }) => [
      { name, what: 'process', good: problem === '' && ready, text: problem || (ready ? 'ready' : 'not ready') },
      ...Object.entries(checks).map(([what, answer]) => ({ name: '', what, good: answer === 'ok', text: answer })),
    ]);
    return table(
      rows,
      [
        ['Process', ({ name }) => name],
        ['Needs', ({ what }) => what],
        ['State', ({ good, text }) => status(good, text), 'long'],
      ],
      'no process answered',
    );
  },
  actions: async () => {
    const { data } = await api('/enforcement/actions?limit=15');
    return table(
      data,
      [
        ['Time', ({ at }) => time(at)],
        ['Subscriber', ({ user_name }) => user_name],
        ['Told', ({ by, outcome: text }) => `${by === 'coa' ? 'change to' : 'disconnect:'} ${outcome(text)}`],
        ['Answer', resultOf],
        ['After', ({ lag_ms }) => (lag_ms === null ? '' : `${lag_ms} ms`), 'end'],
      ],
      'nothing was sent to an access server yet',
    );
  },
  operated: async () => {
    const { data } = await api('/nas?operated=true&per_page=50');
    const rows = data.flatMap(({ name, operations: { maintenance, drain } }) => [
      ...(drain
        ? [{ name, what: drain.moving ? 'drained, sessions are moved' : 'drained', when: '', note: drain.note }]
        : []),
      ...(maintenance
        ? [{ name, what: `maintenance ${maintenance.state}`, when: span(maintenance), note: maintenance.note }]
        : []),
    ]);
    return table(
      rows,
      [
        ['Name', ({ name }) => name],
        ['State', ({ what }) => what],
        ['When', ({ when }) => when],
        ['Note', ({ note }) => note, 'long'],
      ],
      'none is drained or in maintenance',
    );
  },
  talkers: async () => {
    const { data } = await api('/flows/top-talkers?minutes=60&limit=10');
    return table(
      data,
      [
        ['Subscription', ({ subscription_id }) => String(subscription_id)],
        ['User name', ({ user_name }) => user_name ?? ''],
        ['Down', ({ down_bytes }) => bytes(down_bytes), 'end'],
        ['Up', ({ up_bytes }) => bytes(up_bytes), 'end'],
        ['Sum', ({ total_bytes }) => bytes(total_bytes), 'end'],
      ],
      'no flows of subscribers in the last hour',
    );
  },
};

async function draw(name) {
  try {
    $(name).replaceChildren(await cards[name]());
    return true;
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 401) throw error;
    $(name).replaceChildren(element('p', { className: 'problem', textContent: error.message }));
    return false;
  }
}

// ---- Signing in and out, and the clock.

let timer;

async function refresh() {
  clearTimeout(timer);
  try {
    const drawn = await Promise.all(Object.keys(cards).map(draw));
    const late = drawn.includes(false) ? ', partly' : '';
    $('freshness').textContent = `as of ${new Date().toLocaleTimeString()}${late}`;
    timer = setTimeout(refresh, refreshMs);
  } catch (error) {
    signOut(error.message);
  }
}

function signOut(reason = '') {
  clearTimeout(timer);
  sessionStorage.clear();
  $('sign-in-problem').textContent = reason;
  $('freshness').textContent = '';
  show(false);
}

function show(signedIn) {
  $('signed-in').hidden = !signedIn;
  $('signed-out').hidden = signedIn;
  $('sign-out').hidden = !signedIn;
  if (!signedIn) $('tenant-choice').hidden = true;
}

/** A super admin chooses where to look; everybody else is in the own tenant. */
async function offerTenants() {
  const { permissions } = await api('/auth/me', { inTenant: false });
  if (!permissions.includes('tenants:read')) return;
  const { data } = await api('/tenants?per_page=200', { inTenant: false });
  const chosen = sessionStorage.getItem(tenantKey) ?? data.find(({ slug }) => slug === 'demo')?.slug ?? data[0]?.slug;
  if (!chosen) return;
  sessionStorage.setItem(tenantKey, chosen);
  $('tenant').replaceChildren(
    ...data.map(({ slug, name }) => element('option', { value: slug, textContent: name, selected: slug === chosen })),
  );
  $('tenant-choice').hidden = false;
}

async function enter() {
  try {
    await offerTenants();
    show(true);
    await refresh();
  } catch (error) {
    signOut(error.message);
  }
}

$('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const fields = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ''));
  try {
    remember(await call('/auth/login', { method: 'POST', body: fields, inTenant: false }));
    event.target.reset();
    $('sign-in-problem').textContent = '';
    await enter();
  } catch (error) {
    $('sign-in-problem').textContent = error.message;
  }
});
$('sign-out').addEventListener('click', async () => {
  await api('/auth/logout', { method: 'POST', inTenant: false }).catch(() => undefined);
  signOut();
});
$('tenant').addEventListener('change', () => {
  sessionStorage.setItem(tenantKey, $('tenant').value);
  void refresh();
});

if (sessionStorage.getItem(tokenKey)) await enter();
else show(false);
