import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openHouse } from './house.ts'

const answering = (status: number, body: string) =>
  openHouse(async () => new Response(body, { status, headers: { 'x-request-id': 'r1' } }))

test('models are read with their kind; what cannot chat says so', async () => {
  const list = [
    { id: 'docs', headworks: { kind: 'workflow', operations: ['chat'], description: 'The handbook.' } },
    { id: 'embed', headworks: { kind: 'model', operations: ['embed'] } },
    { id: 'foreign' },
    { object: 'model' },
  ]
  const models = await answering(200, JSON.stringify({ data: list })).models()
  assert.deepEqual(models.ok && models.value, [
    { id: 'docs', kind: 'workflow', chats: true, description: 'The handbook.' },
    { id: 'embed', kind: 'model', chats: false, description: '' },
    { id: 'foreign', kind: 'model', chats: true, description: '' },
  ])
})

test('a document is asked for by its encoded name', async () => {
  const urls: string[] = []
  const house = openHouse(async (url) => {
    urls.push(url)
    return new Response(
      JSON.stringify({ id: 'a/b', title: 'T', uri: 'docs/t.md', mediaType: 'text/markdown', bytes: 3, text: '' }),
    )
  })
  const document = await house.document('hand book', 'a/b?', new AbortController().signal)
  assert.deepEqual(urls, ['/api/collections/hand%20book/documents/a%2Fb%3F'])
  assert.equal(document.ok && document.value.text, '', 'an empty text is a text')
})

test('problems: refused, not JSON, another shape, no server', async () => {
  const error = { message: 'The request carries no key. Sign in.', type: 'auth', param: null, code: 'key_missing' }
  const refused = await answering(401, JSON.stringify({ error })).session()
  assert.deepEqual(refused, {
    ok: false,
    problem: { code: 'key_missing', message: error.message, status: 401, requestId: 'r1' },
  })
  for (const body of ['<html>', '[]', '{"key":1}', '']) {
    const odd = await answering(200, body).session()
    assert.equal(!odd.ok && odd.problem.code, 'garbled', body)
  }
  const gone = await openHouse(() => Promise.reject(new TypeError('refused'))).models()
  assert.equal(!gone.ok && gone.problem.code, 'offline')
})

test('signing out needs no body in the answer', async () => {
  assert.equal((await answering(200, '{}').signOut()).ok, true)
  assert.equal((await openHouse(async () => new Response(null, { status: 204 })).signOut()).ok, true)
})
