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
  const said = { message: { role: 'assistant', content: 'A note about birds.' }, finish_reason: 'stop', index: 0 }
  server = await scriptedServer(({ path, body }) => ({
    body:
      path === '/v1/chat/completions'
        ? { id: 'c', object: 'chat.completion', choices: [said], usage: { prompt_tokens: 9, completion_tokens: 5 } }
        : path === '/info'
          ? { model_id: 'e5', model_sha: sha, model_type: { embedding: { pooling: 'mean' } } }
          : (body['inputs'] as string[]).map(vectorOf),
  }))
  house = await startHouse({
    config: {
      engines: { local: { kind: 'tei', url: server.url }, writer: { kind: 'openai', url: `${server.url}/v1` } },
      models: {
        e5: { deployments: [{ engine: 'local', model: 'e5' }] },
        small: { deployments: [{ engine: 'writer', model: 'w' }] },
      },
      collections: {
        notes: { sources: [{ path: documents }], embedding: 'e5', passagePrefix: 'passage: ', context: 'small' },
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
  // With the sentence that a chat model wrote about it.
  assert.ok(
    inputs.some((text) => /^passage: .*A note about birds\..*Swallows/s.test(text)),
    JSON.stringify(inputs),
  )
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

const generations = async (): Promise<string[]> => {
  const { generations: all } = await ask('/api/collections/notes/generations')
  return (all as { id: string; state: string; live: boolean; documents: number }[]).map(
    ({ id, state, live, documents: count }) => `${id} ${state}${live ? ' live' : ''} ${count}`,
  )
}

test('a generation is made for the new weights, compared, switched to, and left again', async () => {
  const of = '/api/collections/notes/generations'
  assert.deepEqual(await generations(), ['g1 ready live 1'])
  assert.deepEqual(await ask(of, 'POST'), { generation: 'g2' })
  for (let waited = 0; (await generations())[1] !== 'g2 ready 1' && waited < 10_000; waited += 50) await sleep(50)
  assert.deepEqual(await generations(), ['g1 ready live 1', 'g2 ready 1'])
  const compared = await ask(`${of}/g2/compare`, 'POST', { questions: ['Where do swallows go?'] })
  assert.equal(compared['questions'], 1, JSON.stringify(compared))
  assert.deepEqual(compared['byWordsAlone'], { live: true, other: false })
  assert.match(JSON.stringify(await ask(`${of}/g2/compare`, 'POST', { questions: [''] })), /field_invalid/)
  assert.match(JSON.stringify(await ask(`${of}/g2/compare`, 'POST', { questions: 'x' })), /field_invalid/)
  assert.match(JSON.stringify(await ask(`${of}/g3/compare`, 'POST', {})), /not_found/)
  assert.match(JSON.stringify(await ask('/api/collections/none/generations', 'POST')), /collection_unknown/)
  assert.deepEqual(await ask(`${of}/g2/activate`, 'POST'), { live: 'g2' })
  const listed = (await ask('/api/collections'))['collections'] as readonly { readonly [name: string]: unknown }[]
  for (const [at, name] of ['handbook', 'notes'].entries()) {
    const { quality, ...shown } = await ask(`/api/collections/${name}`)
    assert.deepEqual(listed[at], shown)
    assert.ok(quality !== undefined)
  }
  assert.match(JSON.stringify(await ask('/api/collections/notes')), /e5@second/)
  assert.deepEqual(await ask(`${of}/rollback`, 'POST'), { live: 'g1' })
  assert.match(JSON.stringify(await ask('/api/collections/notes')), /e5@first/)
  assert.deepEqual(await ask(`${of}/g2`, 'DELETE'), { generation: 'g2', removed: true })
  assert.deepEqual(await generations(), ['g1 ready live 1'])
})
