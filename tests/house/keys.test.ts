/** Keys of the real program: what it writes about them, and what of them survives `kill -9`. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DOCUMENTS, QUESTION } from '../clients/material.ts'
import { ADMIN_KEY, startHouse } from '../kit/house.ts'

interface Made {
  readonly id: string
  readonly key: string
}

test('the text of a key is in no file and no line, and a revocation survives kill -9', async (t) => {
  let house = await startHouse({ documents: DOCUMENTS, config: { log: { level: 'debug' } } })
  t.after(() => house.stop())
  const call = (key: string, method: string, path: string, body?: unknown) =>
    fetch(`${house.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const create = async (name: string) => (await (await call(ADMIN_KEY, 'POST', '/api/keys', { name })).json()) as Made
  const ask = async (key: string) => {
    const messages = [{ role: 'user', content: QUESTION }]
    const answer = await call(key, 'POST', '/v1/chat/completions', { model: 'docs', messages })
    await answer.text()
    return answer.status
  }

  const [kept, revoked] = [await create('kept'), await create('revoked')]
  const rotated = (await (
    await call(ADMIN_KEY, 'POST', `/api/keys/${kept.id}/rotate`, { graceMs: 60_000 })
  ).json()) as Made
  for (const { key } of [kept, revoked, rotated]) assert.equal(await ask(key), 200)
  assert.equal((await call(ADMIN_KEY, 'DELETE', `/api/keys/${revoked.id}`)).status, 200)
  assert.equal(await ask(revoked.key), 401)
  assert.equal(await ask(`${kept.key}x`), 401)

  await house.kill()
  const data = join(house.folder, 'data')
  const written = readdirSync(data, { recursive: true, encoding: 'utf8' })
    .map((name) => join(data, name))
    .filter((path) => statSync(path).isFile())
  assert.ok(written.includes(join(data, 'pepper')))
  for (const { key } of [kept, revoked, rotated, { key: ADMIN_KEY }]) {
    for (const path of written) assert.ok(!readFileSync(path).includes(key.slice(9)), path)
    assert.ok(!house.said().includes(key.slice(9)), house.said())
  }

  house = await startHouse({ documents: DOCUMENTS, folder: house.folder })
  assert.deepEqual([await ask(kept.key), await ask(rotated.key), await ask(revoked.key)], [200, 200, 401])
})
