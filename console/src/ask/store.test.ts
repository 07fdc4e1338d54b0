import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Report } from '../api/answer.ts'
import type { ChatEvent } from '../api/chat.ts'
import { AskStore, type AskWorld } from './store.ts'

/** A world whose answers are fed by hand and whose clock stands until moved. */
function world(kept?: string) {
  const slots = new Map<string, string>(kept === undefined ? [] : [['headworks.asked', kept]])
  const feeds: ((event: ChatEvent | 'end') => Promise<void>)[] = []
  const state = { nowMs: 0, redraws: 0, recalled: [] as string[], trace: undefined as Report | undefined }
  const due: (() => void)[] = []
  const made: AskWorld = {
    ask: (_, signal) => {
      const queue: (ChatEvent | 'end')[] = []
      let wake = () => {}
      feeds.push(async (event) => {
        queue.push(event)
        wake()
        await settled()
      })
      return (async function* () {
        for (;;) {
          const event = queue.shift()
          if (event === 'end' || signal.aborted) return
          if (event !== undefined) yield event
          else await new Promise<void>((resolve) => (wake = resolve))
        }
      })()
    },
    recall: async (id) => {
      state.recalled.push(id)
      return state.trace
    },
    storage: { getItem: (name) => slots.get(name) ?? null, setItem: (name, value) => void slots.set(name, value) },
    nowMs: () => state.nowMs,
    soon: (task) => void due.push(task),
  }
  const draw = () => due.splice(0).forEach((task) => task())
  return { made, feeds, state, slots, draw }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))
const question = { model: 'docs', question: 'Why?' }
const text = (value: string): ChatEvent => ({ kind: 'text', text: value })
const report = (more: Partial<Report>): ChatEvent => ({ kind: 'report', report: { sources: [], stages: [], ...more } })
const stage = { name: 'search', parent: -1, startMs: 0, endMs: 1, attributes: {} }

test('an answer grows, is timed and ends', async () => {
  const { made, feeds, state, draw } = world()
  const store = new AskStore(made)
  const id = store.ask(question)
  assert.equal(store.list()[0]?.phase, 'waiting')
  state.nowMs = 40
  await feeds[0]?.(report({ requestId: 'r1', stages: [stage] }))
  await feeds[0]?.(text('Because '))
  state.nowMs = 90
  await feeds[0]?.(text('of [1].'))
  await feeds[0]?.({ kind: 'done' })
  draw()
  const [asked] = store.list()
  assert.deepEqual(
    {
      id: asked?.id,
      phase: asked?.phase,
      text: asked?.text,
      first: asked?.firstTokenMs,
      total: asked?.totalMs,
      request: asked?.report.requestId,
    },
    { id, phase: 'done', text: 'Because of [1].', first: 40, total: 90, request: 'r1' },
  )
  assert.deepEqual(state.recalled, [], 'the stages were told')
})

test('many tokens are one redraw', async () => {
  const { made, feeds, draw } = world()
  const store = new AskStore(made)
  store.ask(question)
  let redraws = 0
  store.subscribe(() => redraws++)
  for (let i = 0; i < 50; i++) await feeds[0]?.(text('x'))
  assert.equal(redraws, 0)
  draw()
  assert.equal(redraws, 1)
  assert.equal(store.list()[0]?.text.length, 50)
})

test('stopping keeps what arrived and takes nothing more', async () => {
  const { made, feeds, draw } = world()
  const store = new AskStore(made)
  const id = store.ask(question)
  await feeds[0]?.(text('Half'))
  store.stop(id)
  await feeds[0]?.(text(' more'))
  draw()
  assert.deepEqual([store.list()[0]?.phase, store.list()[0]?.text], ['stopped', 'Half'])
})

test('a failure and a truncation keep the text and say what they are', async () => {
  const { made, feeds } = world()
  const store = new AskStore(made)
  store.ask(question)
  store.ask(question)
  await feeds[0]?.(text('Half'))
  await feeds[0]?.({ kind: 'truncated' })
  await feeds[1]?.({ kind: 'failed', problem: { code: 'engine_busy', message: 'Busy.', status: 503 } })
  const [second, first] = store.list()
  assert.deepEqual([first?.phase, first?.text], ['truncated', 'Half'])
  assert.deepEqual([second?.phase, second?.problem?.code], ['failed', 'engine_busy'])
})

test('stages that the stream did not tell are looked up by request id', async () => {
  const { made, feeds, state, draw } = world()
  state.trace = { sources: [], stages: [stage], costNanoUsd: '5' }
  const store = new AskStore(made)
  store.ask(question)
  await feeds[0]?.(report({ requestId: 'r9', deployment: 'local/qwen' }))
  await feeds[0]?.({ kind: 'done' })
  await settled()
  draw()
  assert.deepEqual(state.recalled, ['r9'])
  assert.deepEqual(store.list()[0]?.report, {
    requestId: 'r9',
    deployment: 'local/qwen',
    sources: [],
    stages: [stage],
    costNanoUsd: '5',
  })
})

test('a reload brings the answers back; one that was arriving is stopped', async () => {
  const first = world()
  const store = new AskStore(first.made)
  store.ask(question)
  store.ask({ ...question, question: 'How?' })
  await first.feeds[0]?.(text('Because.'))
  await first.feeds[0]?.({ kind: 'done' })
  const again = new AskStore(world(first.slots.get('headworks.asked')).made)
  assert.deepEqual(
    again.list().map((one) => [one.question, one.phase, one.text]),
    [
      ['How?', 'stopped', ''],
      ['Why?', 'done', 'Because.'],
    ],
  )
  assert.equal(again.ask(question), 3, 'ids go on')
})

test('spoiled, full and absent storage are borne', async () => {
  for (const kept of ['{', '42', 'null']) assert.deepEqual(new AskStore(world(kept).made).list(), [])
  const full = world()
  const store = new AskStore({
    ...full.made,
    storage: {
      getItem: () => null,
      setItem: () => {
        throw new Error('quota')
      },
    },
  })
  store.ask(question)
  await full.feeds[0]?.({ kind: 'done' })
  assert.equal(store.list()[0]?.phase, 'done')
  assert.deepEqual(new AskStore({ ...full.made, storage: undefined }).list(), [])
})

test('signing out forgets the answers, also those arriving', async () => {
  const { made, feeds, slots, draw } = world()
  const store = new AskStore(made)
  store.ask(question)
  await feeds[0]?.(text('Secret'))
  store.clear()
  await feeds[0]?.(text(' more'))
  draw()
  assert.deepEqual(store.list(), [])
  assert.equal(slots.get('headworks.asked'), '[]')
})

test('thirty questions are kept, the oldest go first', () => {
  const store = new AskStore(world().made)
  for (let i = 0; i < 35; i++) store.ask({ model: 'docs', question: `${i}` })
  assert.equal(store.list().length, 30)
  assert.equal(store.list()[0]?.question, '34')
})
