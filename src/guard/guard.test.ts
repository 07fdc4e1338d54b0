import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../tests/kit/clock.ts'
import { request } from '../../tests/kit/exchange.ts'
import { Refusal } from '../base/errors.ts'
import type { Headers, Request } from '../base/http.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { authenticate } from './authenticate.ts'
import { unbound } from './bindings.ts'
import { KEYS } from './key-rows.ts'
import { Keyring } from './keyring.ts'
import type { Principal } from './principal.ts'
import { Pepper, PEPPER_BYTES } from './secret.ts'
import { SESSION_COOKIE, Sessions } from './sessions.ts'

const pepper = new Pepper(new Uint8Array(PEPPER_BYTES))
const APP = { name: 'app', role: 'user', bindings: unbound('user') } as const
const OWNER = { id: 'local', name: 'owner', role: 'admin', bindings: unbound('admin') } as const

async function open() {
  const rows = new MemoryRows()
  const clock = new ManualClock()
  const random = seededRandom(7)
  const keyring = await Keyring.open({ rows, clock, random, pepper })
  const sessions = new Sessions(clock, random)
  const key = await keyring.create('app', 'user')
  const ask = (headers: Headers, peer: Request['peer'] = 'network', method = 'POST'): Principal | Refusal =>
    authenticate(request(method, '/v1/models', '', headers, peer), keyring, sessions)
  const code = (headers: Headers, method?: string): string | undefined => {
    const found = ask(headers, 'network', method)
    return found instanceof Refusal ? found.code : undefined
  }
  return { rows, clock, random, keyring, sessions, key, ask, code }
}

test('a key opens as Bearer and as x-api-key, however the header is written', async () => {
  const { ask, key } = await open()
  for (const headers of [
    { authorization: `Bearer ${key.text}` },
    { authorization: `bearer   ${key.text} ` },
    { 'x-api-key': key.text },
    { authorization: `Bearer ${key.text}`, 'x-api-key': key.text },
  ]) {
    assert.deepEqual(ask(headers), { id: key.id, ...APP })
  }
})

test('no key, a wrong key, half a key and two different keys are refused', async () => {
  const { code, key, keyring } = await open()
  const other = await keyring.create('other', 'user')
  assert.equal(code({}), 'key_missing')
  assert.equal(code({ authorization: 'Basic abc' }), 'key_missing')
  assert.equal(code({ authorization: `Bearer ${key.text.slice(0, -1)}` }), 'key_unknown')
  assert.equal(code({ authorization: `Bearer ${key.text} ${key.text}` }), 'key_missing')
  assert.equal(code({ authorization: `Bearer ${key.text}`, 'x-api-key': other.text }), 'key_ambiguous')
})

test('the text of a key is stored nowhere', async () => {
  const { rows, key } = await open()
  const stored = await rows.scan(KEYS, { limit: 10 })
  assert.equal(stored.length, 1)
  assert.ok(!JSON.stringify(stored).includes(key.text.slice(12)))
})

test('a revoked key is refused at once and after a restart; other keys stay', async () => {
  const { rows, clock, random, keyring, key, code } = await open()
  const other = await keyring.create('other', 'admin')
  assert.ok(await keyring.revoke(key.id))
  assert.equal(code({ 'x-api-key': key.text }), 'key_unknown')
  const reopened = await Keyring.open({ rows, clock, random, pepper })
  assert.equal(reopened.find(key.text), undefined)
  assert.equal(reopened.find(other.text)?.role, 'admin')
  assert.equal(await keyring.revoke('key_nothing'), false)
})

test('revoking a key twice at once, or one that was adopted again, ends what it should and no more', async () => {
  const { keyring, key } = await open()
  assert.deepEqual(await Promise.all([keyring.revoke(key.id), keyring.revoke(key.id)]), [true, true])
  const first = await keyring.adopt('hw_chosen-by-the-operator', 'env', 'admin')
  assert.ok(await keyring.revoke(first.id))
  const second = await keyring.adopt('hw_chosen-by-the-operator', 'env', 'admin')
  assert.ok(await keyring.revoke(first.id))
  assert.equal(keyring.find(second.text)?.id, second.id)
})

test('a chosen key is registered once, and a lent one is not stored', async () => {
  const { keyring, rows, clock, random } = await open()
  const first = await keyring.adopt('hw_chosen-by-the-operator', 'env', 'admin')
  assert.equal((await keyring.adopt('hw_chosen-by-the-operator', 'env', 'admin')).id, first.id)
  const lent = keyring.lend('process', 'admin')
  assert.equal(keyring.find(lent)?.role, 'admin')
  assert.equal((await Keyring.open({ rows, clock, random, pepper })).find(lent), undefined)
})

test('the control socket needs no key', async () => {
  const { ask } = await open()
  assert.deepEqual(ask({}, 'local'), { ...OWNER, name: 'owner of the data folder' })
})

test('a sign-in link works once and for a quarter of an hour', async () => {
  const { sessions, clock, key } = await open()
  const principal: Principal = { id: key.id, ...APP }
  const token = sessions.issueLink(principal)
  const cookie = sessions.redeemLink(token) ?? ''
  assert.deepEqual(sessions.find(cookie), principal)
  assert.equal(sessions.redeemLink(token), undefined)
  const late = sessions.issueLink(principal)
  clock.advance(15 * 60_000)
  assert.equal(sessions.redeemLink(late), undefined)
  clock.advance(12 * 3_600_000)
  assert.equal(sessions.find(cookie), undefined)
})

test('a cookie counts only for our own pages', async () => {
  const { sessions, code, ask } = await open()
  const value = sessions.open(OWNER)
  const cookie = `theme=dark; ${SESSION_COOKIE}=${value}`
  assert.equal((ask({ cookie, 'sec-fetch-site': 'same-origin' }) as Principal).role, 'admin')
  assert.equal((ask({ cookie, origin: 'http://h.test:1', host: 'h.test:1' }) as Principal).role, 'admin')
  assert.equal(code({ cookie, 'sec-fetch-site': 'cross-site' }), 'not_allowed')
  assert.equal(code({ cookie, 'sec-fetch-site': 'same-site' }), 'not_allowed')
  assert.equal(code({ cookie, 'sec-fetch-site': 'none' }), 'not_allowed', 'typed into the address bar: reading only')
  assert.equal(code({ cookie, 'sec-fetch-site': 'none' }, 'GET'), undefined)
  assert.equal(code({ cookie, origin: 'http://evil.test', host: 'h.test:1' }), 'not_allowed')
  assert.equal(code({ cookie, origin: 'null', host: 'h.test:1' }), 'not_allowed')
  assert.equal(code({ cookie }), 'not_allowed')
  assert.equal(code({ cookie: `${SESSION_COOKIE}=${value}x`, 'sec-fetch-site': 'same-origin' }), 'key_missing')
})

test('what a revoked key had opened is closed', async () => {
  const { sessions, key } = await open()
  const cookie = sessions.open({ id: key.id, ...APP })
  const other = sessions.open(OWNER)
  sessions.closeAllOf(key.id)
  assert.equal(sessions.find(cookie), undefined)
  assert.ok(sessions.find(other))
  sessions.close(other)
  assert.equal(sessions.find(other), undefined)
})

test('sessions are bounded: the oldest goes first', async () => {
  const { sessions } = await open()
  const principal: Principal = OWNER
  const first = sessions.open(principal)
  let last = ''
  for (let i = 0; i < 1000; i++) last = sessions.open(principal)
  assert.equal(sessions.find(first), undefined)
  assert.ok(sessions.find(last))
})
