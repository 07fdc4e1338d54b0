/** The real program: after the receipt of a deletion is final, no file of the data folder holds a word of
 *  what was deleted. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { type Scripted, scriptedServer } from '../kit/scripted-server.ts'

const CANARY = 'swordfishqzx'
const FINAL_MS_MAX = 60_000

let house: RunningHouse
let server: Scripted

before(async () => {
  server = await scriptedServer(({ path, body }) => {
    if (path === '/v1/chat/completions') {
      // As models do: the sentence repeats what it is about.
      const content = /swordfish\w*/.exec(JSON.stringify(body['messages']))?.[0] ?? 'A note'
      const choice = { index: 0, message: { role: 'assistant', content: `About ${content}.` }, finish_reason: 'stop' }
      return {
        body: {
          id: 'c',
          object: 'chat.completion',
          choices: [choice],
          usage: { prompt_tokens: 9, completion_tokens: 5 },
        },
      }
    }
    if (path === '/info')
      return { body: { model_id: 'e5', model_sha: 'a', model_type: { embedding: { pooling: 'mean' } } } }
    const vectors = (body['inputs'] as string[]).map((text) =>
      Array.from({ length: 26 }, (_, at) => text.toLowerCase().split(String.fromCharCode(97 + at)).length),
    )
    return { body: vectors }
  })
  house = await startHouse({
    config: {
      engines: { local: { kind: 'tei', url: server.url }, writer: { kind: 'openai', url: `${server.url}/v1` } },
      models: {
        e5: { deployments: [{ engine: 'local', model: 'e5' }] },
        small: { deployments: [{ engine: 'writer', model: 'w' }] },
      },
      collections: { embedded: { embedding: 'e5', context: 'small' }, plain: {} },
      workflows: { ask: { collection: 'embedded' } },
    },
  })
})
after(async () => {
  await house?.stop()
  await server?.close()
})

async function ask(path: string, method = 'GET', body?: unknown, headers = {}): Promise<Response> {
  return await fetch(house.url + path, {
    method,
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      'content-type': 'application/json',
      connection: 'close',
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
}

const word = (at: number): string => `herring${String.fromCharCode(97 + (at % 26), 97 + (Math.floor(at / 26) % 26))}`
const text = (secret: string): string =>
  Array.from({ length: 90 }, (_, at) => `The vault of the old harbour opens with ${secret} and number ${at}.`).join(' ')

async function fill(collection: string): Promise<void> {
  const others = Array.from({ length: 120 }, (_, at) => ({ id: `note-${at}`, text: text(word(at % 40)) }))
  const secret = { id: 'the-note', text: text(CANARY), title: 'A note' }
  const lines = [...others, secret].map((one) => JSON.stringify(one)).join('\n')
  const answer = await ask(`/api/collections/${collection}/documents`, 'POST', lines, {
    'content-type': 'application/x-ndjson',
  })
  assert.equal(answer.status, 200, await answer.clone().text())
}

/** Files of the data folder that hold the word in any letters, in UTF-8 or UTF-16. */
function filesWith(needle: string): string[] {
  const data = join(house.folder, 'data')
  const found: string[] = []
  for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const bytes = bytesOf(join(entry.parentPath, entry.name))
    const held = [bytes.toString('latin1'), bytes.toString('utf16le')].some((one) => one.toLowerCase().includes(needle))
    if (held) found.push(join(entry.parentPath, entry.name).slice(data.length))
  }
  return found
}

/** What is being written may be gone by its name the next moment. */
function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw thrown
  }
}

interface Receipt {
  readonly id: string
  readonly final: boolean
  readonly goneAt: { readonly [place: string]: string | null }
}

test('a deleted document leaves no byte behind once its receipt is final', async () => {
  for (const collection of ['embedded', 'plain']) await fill(collection)
  const question = {
    model: 'ask',
    messages: [{ role: 'user', content: `What opens the vault of the note? ${CANARY.slice(0, 9)}` }],
  }
  const named = { 'idempotency-key': 'once' }
  const answer = await (await ask('/v1/chat/completions', 'POST', question, named)).text()
  assert.ok(answer.includes('"the-note"') && answer.includes(CANARY), answer)
  // Fitted directions come when nothing was sent for a while.
  for (let waited = 0; !filesWith(CANARY).some((name) => name.includes('/fitted/')) && waited < 20_000; waited += 200)
    await sleep(200)
  const before = filesWith(CANARY)
  for (const place of ['headworks.db', '/fitted/', '/index/'])
    assert.ok(
      before.some((name) => name.includes(place)),
      `${place} is not in ${before.join(' ')}`,
    )

  for (const collection of ['embedded', 'plain']) {
    const removed = await (await ask(`/api/collections/${collection}/documents/the-note`, 'DELETE')).json()
    let { receipt } = removed as { receipt: Receipt }
    const path = `/api/collections/${collection}/deletions/${receipt.id}`
    assert.ok(receipt.goneAt['fullText'] !== null && receipt.goneAt['embeddingCache'] !== null)
    assert.equal(receipt.final, false)
    receipt = (await (await ask(`${path}/erase`, 'POST')).json()) as Receipt
    for (let waited = 0; !receipt.final && waited < FINAL_MS_MAX; waited += 200) {
      await sleep(200)
      receipt = (await (await ask(path)).json()) as Receipt
    }
    assert.ok(receipt.final, JSON.stringify(receipt))
  }
  assert.deepEqual(filesWith(CANARY), [])
  const again = await (await ask('/v1/chat/completions', 'POST', question, named)).text()
  assert.ok(!again.includes(CANARY), 'nor is an answer that named it given again')
  // What the others share with it still answers.
  const found = await ask('/api/collections/plain/search', 'POST', { query: `${word(3)} vault`, k: 3, mode: 'vector' })
  assert.equal(found.status, 200, await found.clone().text())
})
