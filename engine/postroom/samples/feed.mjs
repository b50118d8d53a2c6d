// A provider in JavaScript for Node: each entry of an RSS feed becomes a message. In a router's configuration: process:node feed.mjs
//
// One line of JSON each way, see docs/provider-processes.md. The engine's connections are used, so that its deadlines and its trust hold here too.
// What was taken in is remembered by the engine (seen keys); the feed's ETag is the state, so that an unchanged feed costs one question.

import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';

const LARGEST = 4 * 1024 * 1024;
const waiting = new Map();
let config = {}, cancelled = false, number = 0;

const say = (thing) => process.stdout.write(JSON.stringify(thing) + '\n');
const note = (event, text, values = {}) => say({ call: 'log', event, text, values });
const fault = (kind, text, more = {}) => Object.assign(new Error(text), { told: { kind, text, ...more } });

function ask(call, given = {}) {
  const id = ++number;
  say({ id, call, ...given });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

async function fetched(url, etag, timeout) {
  const place = new URL(url), tls = place.protocol === 'https:';
  const port = Number(place.port || (tls ? 443 : 80));
  const { connection } = await ask('net.connect', { host: place.hostname, port, tls, timeout });
  try {
    const lines = [`GET ${place.pathname}${place.search} HTTP/1.0`, `Host: ${place.host}`, 'Accept: application/rss+xml, */*'];
    if (etag) lines.push(`If-None-Match: ${etag}`);
    await ask('net.send', { connection, octets: Buffer.from(lines.join('\r\n') + '\r\n\r\n').toString('base64') });
    const pieces = [];
    for (let size = 0; ;) {
      const piece = Buffer.from((await ask('net.recv', { connection, limit: 65536, timeout })).octets, 'base64');
      if (piece.length === 0) break;
      pieces.push(piece);
      if ((size += piece.length) > LARGEST) throw fault('ProtocolError', 'the feed is too large');
    }
    return understood(Buffer.concat(pieces));
  } finally {
    await ask('net.close', { connection });
  }
}

function understood(octets) {
  const end = octets.indexOf('\r\n\r\n');
  const [status, ...fields] = octets.subarray(0, Math.max(end, 0)).toString('latin1').split('\r\n');
  const code = Number((/^HTTP\/1\.[01] (\d{3})/.exec(status ?? '') ?? [])[1]);
  if (end < 0 || !code) throw fault('ProtocolError', 'the server does not speak HTTP');
  if (code === 401 || code === 403) throw fault('AuthError', `the feed is refused: ${code}`);
  if (code === 404 || code === 410) throw fault('PermissionDenied', `there is no such feed: ${code}`);
  const headers = Object.fromEntries(fields.map((one) => [one.split(':')[0].toLowerCase(), one.slice(one.indexOf(':') + 1).trim()]));
  if (code !== 200 && code !== 304) throw fault('TransientError', `the feed is not to be had: ${code}`, { retry_after: Number(headers['retry-after']) || null });
  return { code, etag: headers.etag ?? '', text: octets.subarray(end + 4).toString('utf8') };
}

const ENTITIES = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
const plain = (xml) => xml
  .replace(/<!\[CDATA\[([\s\S]*?)\]\]>/g, (_, inner) => inner.replace(/&/g, '&amp;').replace(/</g, '&lt;'))
  .replace(/<[^>]*>/g, ' ')
  .replace(/&(#x?[0-9a-f]+|\w+);/gi, (whole, name) => {
    if (name[0] !== '#') return ENTITIES[name] ?? whole;
    const point = name[1] === 'x' ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
    return point > 0 && point < 0x110000 && (point < 0xd800 || point > 0xdfff) ? String.fromCodePoint(point) : '?';
  }).trim();

function entries(xml) {
  if (!/<(rss|channel|rdf:RDF)[\s>]/.test(xml)) throw fault('ProtocolError', 'this is no RSS');
  if (/<!DOCTYPE/i.test(xml)) throw fault('ProtocolError', 'a feed with a document type is refused');
  return [...xml.matchAll(/<item[\s>]([\s\S]*?)<\/item>/g)].map(([, inner]) => {
    const field = (name) => plain((new RegExp(`<${name}[^>]*>([\\s\\S]*?)</${name}>`).exec(inner) ?? ['', ''])[1]);
    const link = field('link'), id = field('guid') || link || field('title');
    return { id, link, title: field('title'), text: field('description').replace(/<[^>]*>/g, ' ').trim(), when: Date.parse(field('pubDate')) };
  }).filter((entry) => entry.id);
}

const key = (id) => createHash('sha256').update(id).digest('hex');
const word = (text) => `=?utf-8?B?${Buffer.from(text.replace(/\s+/g, ' ').slice(0, 40)).toString('base64')}?=`;

function message(entry) {
  const body = Buffer.from(`${entry.text}\r\n\r\n${entry.link}\r\n`).toString('base64').replace(/.{76}/g, '$&\r\n');
  const date = Number.isNaN(entry.when) ? [] : [`Date: ${new Date(entry.when).toUTCString().replace('GMT', '+0000')}`];
  return Buffer.from([
    `From: ${config.From || 'feed@feed.invalid'}`, `To: ${config.To}`, `Subject: ${word(entry.title || entry.id)}`, ...date,
    `Message-ID: <${key(entry.id).slice(0, 40)}@feed.invalid>`, 'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: base64', '', body, '',
  ].join('\r\n'));
}

async function run({ items, timeout, state }) {
  const counts = { processed: 0, delivered: 0, rejected: 0, failed: 0, more: false };
  const feed = await fetched(config.FeedUrl, state.etag, timeout);
  if (feed.code === 304) return counts;
  const found = new Map(entries(feed.text).map((entry) => [key(entry.id), entry]));
  const fresh = await ask('seen.new_among', { keys: [...found.keys()] });
  for (const one of fresh) {
    if (cancelled || counts.processed >= items) { counts.more = true; break; }
    const { disposition } = await ask('take_in', { source_key: one, octets: message(found.get(one)).toString('base64') });
    counts.processed += 1;
    counts[{ tracked: 'delivered', filtered: 'rejected' }[disposition] ?? 'failed'] += 1;
  }
  await ask('seen.touch', { keys: [...found.keys()] });
  if (!counts.more && !counts.failed && feed.etag !== state.etag) await ask('state.commit', { value: { etag: feed.etag } });
  return counts;
}

const calls = {
  hello: () => ({
    name: 'feed-node', direction: 'inbound', api: [1, 0], capabilities: ['check', 'stateful'],
    config: [
      { name: 'FeedUrl', required: true, identity: true, help: 'where the feed is' },
      { name: 'To', required: true, identity: true, help: 'whose mail the entries are' },
      { name: 'From', default: '', help: 'whom the messages come from' },
    ],
  }),
  configure: (asked) => { config = asked.config; return {}; },
  check: async ({ timeout }) => ({ detail: `${entries((await fetched(config.FeedUrl, '', timeout)).text).length} entries` }),
  run,
  close: () => ({}),
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const asked = JSON.parse(line);
  if (!('call' in asked)) {
    const one = waiting.get(asked.id);
    waiting.delete(asked.id);
    if ('error' in asked) one.reject(Object.assign(new Error(asked.error.text), { told: asked.error }));
    else one.resolve(asked.result);
    return;
  }
  if (asked.call === 'cancel') { cancelled = true; return; }
  cancelled = false;
  try {
    say({ id: asked.id, result: await calls[asked.call](asked) });
  } catch (error) {
    say({ id: asked.id, error: error.told ?? { kind: 'Fault', text: error.constructor.name } });
  }
  if (asked.call === 'close') process.exitCode = 0, process.stdin.destroy();
}).on('close', () => process.exit());
