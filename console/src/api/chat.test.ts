import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, type ChatEvent, type Fetch } from './chat.ts'

const frame = (content: string, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'docs', choices: [{ index: 0, delta: { content } }], ...more })}\n\n`

function streaming(packets: readonly (string | Error)[], headers: Record<string, string> = {}): Fetch {
  return async () => {
    const rest = [...packets]
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const packet = rest.shift()
        if (packet === undefined) controller.close()
        else if (packet instanceof Error) controller.error(packet)
        else controller.enqueue(new TextEncoder().encode(packet))
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream', ...headers } })
  }
}

async function eventsFrom(fetch: Fetch, signal = new AbortController().signal): Promise<ChatEvent[]> {
  const events: ChatEvent[] = []
  for await (const event of ask(fetch, { model: 'docs', question: 'Why?' }, signal)) events.push(event)
  return events
}

/** Without the first one, which says what the headers said. */
const kinds = (events: readonly ChatEvent[]) => events.slice(1).map((event) => event.kind)
const textIn = (events: readonly ChatEvent[]) =>
  events.map((event) => (event.kind === 'text' ? event.text : '')).join('')

test('the question goes out as one streamed completion', async () => {
  const sent: { url: string; init: RequestInit }[] = []
  await eventsFrom(async (url, init) => {
    sent.push({ url, init })
    return new Response('data: [DONE]\n\n', { headers: { 'content-type': 'text/event-stream' } })
  })
  assert.equal(sent[0]?.url, '/v1/chat/completions')
  assert.deepEqual(JSON.parse(String(sent[0]?.init.body)), {
    model: 'docs',
    messages: [{ role: 'user', content: 'Why?' }],
    stream: true,
    stream_options: { include_usage: true },
  })
})

test('text, sources, stages and usage arrive, however the packets are cut', async () => {
  const source = {
    number: 1,
    collection: 'handbook',
    document: 'd1',
    uri: 'docs/a.md',
    title: 'A',
    headings: ['A', 'B'],
    start: 5,
    end: 20,
    text: 'Water flows.',
    quotes: [
      { start: 0, end: 12 },
      { start: 4, end: 99 },
    ],
  }
  const stages = [{ name: 'search', parent: -1, start_ms: 0.5, end_ms: 3, attributes: { k: 8 } }]
  const stream =
    frame('Water ', { headworks: { request_id: 'r1', sources: [source] } }) +
    frame('flows. [1]') +
    frame('', {
      headworks: {
        request_id: 'r1',
        model: 'docs',
        deployment: 'reader',
        sources: [source],
        stages,
        cost_nanousd: '0',
        estimated: false,
        answered: true,
        workflow_version: 'v1',
        groundedness: { score: 0.5, supported: 1, sentences: 2, method: 'lexical' },
      },
    }) +
    `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } })}\n\ndata: [DONE]\n\n`
  for (const size of [1, 7, 64, 1e6]) {
    const packets = stream.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
    const events = await eventsFrom(streaming(packets))
    assert.equal(textIn(events), 'Water flows. [1]')
    assert.equal(kinds(events).at(-1), 'done')
    const reports = events.filter((event) => event.kind === 'report').map((event) => event.report)
    assert.equal(reports[1]?.sources[0]?.quotes.length, 1, 'a quote beyond the text is dropped')
    assert.deepEqual(reports[2]?.stages, [{ name: 'search', parent: -1, startMs: 0.5, endMs: 3, attributes: { k: 8 } }])
    assert.equal(reports[2]?.costNanoUsd, '0')
    assert.deepEqual([reports[2]?.version, reports[2]?.grounded], ['v1', { supported: 1, sentences: 2 }])
    assert.deepEqual(reports[3]?.tokens, { input: 7, output: 3 })
  }
})

test('an end without [DONE] is a truncation, clean or by a reset', async () => {
  for (const packets of [
    [frame('Half')],
    [frame('Half'), new TypeError('terminated')],
    [frame('Half'), 'data: {"cho'],
  ]) {
    const events = await eventsFrom(streaming(packets))
    assert.deepEqual(kinds(events), ['text', 'truncated'])
  }
})

test('an error frame ends the answer with its code and request id', async () => {
  const error = {
    message: 'The engine "chat" broke off. Ask again.',
    type: 'engine',
    param: null,
    code: 'stream_broken',
  }
  const events = await eventsFrom(
    streaming([frame('Half'), `data: ${JSON.stringify({ error })}\n\n`, frame('never')], { 'x-request-id': 'r2' }),
  )
  assert.deepEqual(kinds(events), ['text', 'failed'])
  assert.deepEqual(events.at(-1), {
    kind: 'failed',
    problem: { code: 'stream_broken', message: error.message, status: 200, requestId: 'r2' },
  })
})

test('a frame that is no JSON object is said to be garbled', async () => {
  for (const data of ['{oops', '[]', 'null', '42']) {
    const events = await eventsFrom(streaming([`data: ${data}\n\n`]))
    assert.equal(events[1]?.kind === 'failed' && events[1].problem.code, 'garbled', data)
  }
})

test("a refusal carries the server's own words; what is not one of ours is named garbled", async () => {
  const body = JSON.stringify({
    error: { message: 'No model is called "x". Look.', type: 'absent', param: null, code: 'model_unknown' },
  })
  const refused = await eventsFrom(async () => new Response(body, { status: 404, headers: { 'x-request-id': 'r3' } }))
  assert.deepEqual(refused, [
    {
      kind: 'failed',
      problem: { code: 'model_unknown', message: 'No model is called "x". Look.', status: 404, requestId: 'r3' },
    },
  ])
  const proxied = await eventsFrom(async () => new Response('<h1>Bad gateway</h1>', { status: 502 }))
  assert.equal(proxied[0]?.kind === 'failed' && proxied[0].problem.code, 'garbled')
  const page = await eventsFrom(
    async () => new Response('<h1>Hello</h1>', { headers: { 'content-type': 'text/html' } }),
  )
  assert.equal(page[0]?.kind === 'failed' && page[0].problem.code, 'garbled')
})

test('the headers name the request and the deployment, for models that say nothing else', async () => {
  const [first] = await eventsFrom(
    streaming([frame('Yes.')], { 'x-request-id': 'r4', 'x-headworks-model': 'local/qwen' }),
  )
  assert.deepEqual(first, {
    kind: 'report',
    report: { requestId: 'r4', deployment: 'local/qwen', sources: [], stages: [] },
  })
})

test('no server is offline; a cancelled question has no last event', async () => {
  const events = await eventsFrom(() => Promise.reject(new TypeError('fetch failed')))
  assert.equal(events[0]?.kind === 'failed' && events[0].problem.code, 'offline')
  const cancelled = new AbortController()
  cancelled.abort()
  assert.deepEqual(
    await eventsFrom(() => Promise.reject(new DOMException('aborted', 'AbortError')), cancelled.signal),
    [],
  )
})

test('cancelling mid-stream closes the connection and says nothing more', async () => {
  const controller = new AbortController()
  const fetch: Fetch = async (_, init) => {
    const body = new ReadableStream<Uint8Array>({
      start(stream) {
        stream.enqueue(new TextEncoder().encode(frame('One')))
        init.signal?.addEventListener('abort', () => stream.error(new DOMException('aborted', 'AbortError')))
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  const events: ChatEvent[] = []
  for await (const event of ask(fetch, { model: 'docs', question: '?' }, controller.signal)) {
    events.push(event)
    if (event.kind === 'text') controller.abort()
  }
  assert.deepEqual(kinds(events), ['text'])
})
