/** Roles of the real program: what each answers, and that a data folder has one process. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { DOCUMENTS, QUESTION } from '../clients/material.ts'
import { ADMIN_KEY, freePort, type RunningHouse, startHouse } from '../kit/house.ts'

const main = join(dirname(dirname(import.meta.dirname)), 'src', 'main.ts')

test('each role answers its own, and a second process on the folder is refused', async (t) => {
  let house: RunningHouse = await startHouse({ documents: DOCUMENTS })
  t.after(() => house.stop())
  const { folder } = house
  const again = async (roles: string): Promise<void> => {
    await house.kill()
    house = await startHouse({ documents: DOCUMENTS, folder, untilRead: false, words: ['--roles', roles] })
  }
  const status = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await fetch(`${house.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_KEY}`, connection: 'close', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return answer.ok
      ? String(answer.status)
      : `${answer.status} ${/This process does not[^."]*/.exec(text.replaceAll('\\"', "'"))?.[0] ?? text}`
  }
  const ask = (): Promise<string> =>
    status('POST', '/v1/chat/completions', { model: 'docs', messages: [{ role: 'user', content: QUESTION }] })
  const send = (): Promise<string> => status('POST', '/api/collections/handbook/documents', { id: 'x', text: 'New.' })
  const lacks = (role: string): string => `404 This process does not have the role '${role}'`

  await again('gateway')
  assert.equal(await ask(), '200')
  assert.equal(await status('GET', '/healthz'), '200')
  for (const path of ['/api/collections', '/v1/vector_stores', '/', '/api/openapi.json'])
    assert.equal(await status('GET', path), lacks('control'), path)
  assert.equal(await send(), lacks('control'))

  const second = spawnSync(process.execPath, [main, 'up', '--roles', 'ingest'], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HEADWORKS_CONFIG: join(folder, 'headworks.yaml'),
      HEADWORKS_DATA: join(folder, 'data'),
      HEADWORKS_LISTEN: `127.0.0.1:${await freePort()}`,
    },
  })
  assert.notEqual(second.status, 0)
  assert.match(second.stderr.toString(), /is in use by process \d+/)

  await again('control')
  assert.equal(await status('GET', '/api/collections'), '200')
  assert.equal(await ask(), lacks('gateway'))
  assert.equal(await send(), lacks('ingest'))

  await again('ingest,control')
  assert.equal(await send(), '200')
  assert.equal(await ask(), lacks('gateway'))
})
