/** A model server that costs as little as possible, to measure what stands in front of it. Run as
 *  a process of its own; prints its port. Whole answers at once; streams as `CHUNKS` events. A body may
 *  ask for something else: `bench_delay_ms` before the answer, `bench_chunks` each of which leaves by
 *  itself, `bench_hold` for a stream that begins and does not go on. */
import { createServer, type ServerResponse } from 'node:http'

const CHUNKS = 20
const TEXT = 'Twelve words of an answer that is as long as most short answers.'
const whole = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1,
  model: 'weights',
  choices: [{ index: 0, message: { role: 'assistant', content: TEXT }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 20, completion_tokens: 14, total_tokens: 34 },
})
const chunk = (delta: object, finish: string | null): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1, model: 'weights', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const word = chunk({ content: 'word ' }, null)
const events = [
  chunk({ role: 'assistant', content: '' }, null),
  ...Array.from({ length: CHUNKS }, () => word),
  chunk({}, 'stop'),
  'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"weights","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":20,"total_tokens":40}}\n\n',
  'data: [DONE]\n\n',
]

const server = createServer((request, response) => {
  let body = ''
  request.on('data', (bytes: Buffer) => (body += bytes.toString('latin1')))
  request.on('end', () => {
    const delayMs = numberIn(body, 'bench_delay_ms')
    if (delayMs > 0) setTimeout(() => answer(body, response), delayMs)
    else answer(body, response)
  })
})

function answer(body: string, response: ServerResponse): void {
  if (!body.includes('"stream":true')) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(whole) })
    response.end(whole)
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if (body.includes('"bench_hold":true')) return void response.write(word)
  const chunks = numberIn(body, 'bench_chunks')
  if (chunks > 0) return trickle(response, chunks)
  for (const event of events) response.write(event)
  response.end()
}

/** One turn of the event loop for each, so that none is read together with another. */
function trickle(response: ServerResponse, left: number): void {
  if (response.destroyed) return
  if (left > 0) {
    response.write(word)
    return void setImmediate(trickle, response, left - 1)
  }
  for (const event of events.slice(-3)) response.write(event)
  response.end()
}

const numberIn = (body: string, field: string): number => Number(new RegExp(`"${field}":(\\d+)`).exec(body)?.[1] ?? 0)

server.listen(0, '127.0.0.1', () => {
  const bound = server.address()
  process.stdout.write(`${typeof bound === 'object' && bound !== null ? bound.port : 0}\n`)
})
process.stdin.on('end', () => process.exit(0)).resume()
