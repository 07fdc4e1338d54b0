/** The real program with a collection that a model server embeds. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { type Scripted, scriptedServer } from '../kit/scripted-server.ts'

let house: RunningHouse
let server: Scripted
let documents = ''
/** Of the weights that the server runs. */
let sha = 'first'

const vectorOf = (text: string): number[] => {
  const letters = Array.from({ length: 26 }, (_, at) => text.toLowerCase().split(String.fromCharCode(97 + at)).length)
  return sha === 'first' ? letters : letters.toReversed()
}

before(async () => {
  documents = mkdtempSync(join(tmpdir(), 'headworks-embedded-'))
  writeFileSync(join(documents, 'a.txt'), 'Swallows migrate to the south.')
  server = await scriptedServer(({ path, body }) => ({
    body:
      path === '/info'
        ? { model_id: 'e5', model_sha: sha, model_type: { embedding: { pooling: 'mean' } } }
        : (body['inputs'] as string[]).map(vectorOf),
  }))
  house = await startHouse({
    config: {
      engines: { local: { kind: 'tei', url: server.url } },
      models: { e5: { deployments: [{ engine: 'local', model: 'e5' }] } },
      collections: {
        notes: { sources: [{ path: documents }], embedding: 'e5', passagePrefix: 'passage: ' },
      },
    },
  })
})

after(async () => {
  await house?.stop()
  await server?.close()
  rmSync(documents, { recursive: true, force: true })
})

const ask = async (path: string, method = 'GET', body?: object): Promise<{ readonly [name: string]: unknown }> => {
  const answer = await fetch(house.url + path, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return (await answer.json()) as { readonly [name: string]: unknown }
}

async function ingest(): Promise<{ readonly [name: string]: unknown }> {
  const { run } = await ask('/api/collections/notes/ingest', 'POST', { path: documents })
  for (;;) {
    const shown = await ask(`/api/ingests/${String(run)}`)
    if (shown['endedAt'] !== null) return shown
    await sleep(20)
  }
}

test('a configured collection is embedded by its model, and says with what', async () => {
  for (let waited = 0; (await ask('/api/collections/notes'))['documents'] !== 1 && waited < 5000; waited += 20)
    await sleep(20)
  assert.deepEqual((await ask('/api/collections/notes'))['embedding'], {
    model: 'e5',
    revision: 'e5@first',
    dimension: 26,
    pooling: 'mean',
    passagePrefix: 'passage: ',
    questionPrefix: '',
    normalised: true,
  })
  const inputs = server.asked.flatMap(({ body }) => (body['inputs'] ?? []) as string[])
  assert.ok(inputs.some((text) => text.startsWith('passage: ') && text.includes('Swallows')))
})

test('weights that were exchanged behind its back stop the ingest with a sentence', async () => {
  sha = 'second'
  writeFileSync(join(documents, 'b.txt'), 'Steel is an alloy.')
  house.configure({
    engines: { local: { kind: 'tei', url: server.url } },
    models: { e5: { deployments: [{ engine: 'local', model: 'e5' }], description: 'changed' } },
    collections: { notes: { sources: [], embedding: 'e5', passagePrefix: 'passage: ' } },
  })
  for (let waited = 0; !house.said().includes('description') && waited < 5000; waited += 50) await sleep(50)
  const { state, problem } = await ingest()
  assert.equal(state, 'failed', house.said())
  assert.match(JSON.stringify(problem), /embedding_changed.*cosine/)
  assert.equal((await ask('/api/collections/notes'))['documents'], 1)
})
