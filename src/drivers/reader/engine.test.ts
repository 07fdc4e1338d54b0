import assert from 'node:assert/strict'
import { someSpending } from '../../../tests/kit/spending.ts'
import { describe, test } from 'node:test'
import type { Clock } from '../../base/clock.ts'
import { systemClock } from '../../base/clock.ts'
import type { Fault } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import { Analyzer } from '../../base/words.ts'
import { chatContract } from '../../engine/contract/chat.ts'
import type { ChatEnd } from '../../engine/port.ts'
import { TITLE_SEPARATOR, writeSources } from '../../engine/sources.ts'
import { Trace } from '../../trace/trace.ts'
import { ReaderEngine } from './engine.ts'

const BACKUP = `# Operations

## Back up

Stop Headworks and copy the data folder. To restore, put the copy back and start it again.

## Logs

Logs go to the standard error. Each line is one JSON object.`

const PORTS = `## Ports

The house has these ports:

- **rows**: small records
- **queue**: jobs that survive a crash
- **blobs**: large values

A driver implements a port [3].`

const START = `## Start

To start Headworks, run this command in the folder of the clone:

\`\`\`sh
npm start   # installs, then serves
\`\`\`

It listens on port 4750 by default.`

const TABLE = `## Limits

| setting | default | what it bounds |
|---|---|---|
| \`bodyBytesMax\` | 32 MB | the size of one request body |
| \`drainMs\` | 10 s | the time that answers in flight get at the end |`

const MARKS = { nonce: '0123456789abcdef' }

const sources = writeSources(
  [BACKUP, PORTS, START, TABLE].map((text, at) => ({
    number: at + 1,
    title: `Handbook${TITLE_SEPARATOR}Part ${at + 1}`,
    text,
  })),
  MARKS,
)

interface Said {
  readonly text: string
  readonly last: JsonObject
  readonly end?: ChatEnd
  readonly fault?: Fault
}

const open = (clock: Clock = systemClock, contextTokensMax = 32_000): ReaderEngine =>
  new ReaderEngine({ name: 'reader', clock, analyzer: new Analyzer(), contextTokensMax })

function say(messages: readonly JsonObject[], body: JsonObject = {}, engine = open()): Promise<Said> {
  return new Promise((resolve) => {
    let last: JsonObject = {}
    const call = {
      requestId: 'r',
      span: new Trace(systemClock).open('call'),
      connectTimeoutMs: 1,
      spending: someSpending(),
      model: 'reader',
      stream: false,
      outputTokensMax: 500,
    }
    const text = (): string =>
      ((last['choices'] as JsonObject[] | undefined)?.[0]?.['message'] as JsonObject | undefined)?.['content'] as string
    engine.chat(
      { ...call, body: { messages, ...body } },
      {
        frame: (frame) => void (last = frame),
        end: (end) => resolve({ text: text(), last, end }),
        fail: (fault) => resolve({ text: '', last, fault }),
      },
    )
  })
}

const ask = (question: string, given = sources): Promise<Said> =>
  say([
    { role: 'system', content: `Answer from the sources.\n\n${given}` },
    { role: 'user', content: question },
  ])

chatContract('reader', async () => ({
  engine: open(),
  model: 'reader',
  messages: [
    { role: 'system', content: sources },
    { role: 'user', content: 'How do I start Headworks?' },
  ],
  failing: () => [{ role: 'user', content: 'word '.repeat(40_000) }],
  reportsUsage: true,
  close: async () => {},
}))

describe('answers', () => {
  test('are sentences of the source, each with its citation', async () => {
    const { text } = await ask('How do I back up the data?')
    assert.equal(
      text,
      'Stop Headworks and copy the data folder. [1] To restore, put the copy back and start it again. [1]',
    )
  })

  test('bring the list that a sentence leads in to', async () => {
    const { text } = await ask('Which ports are there?')
    assert.equal(
      text,
      'The house has these ports:\n\n- rows: small records\n- queue: jobs that survive a crash\n- blobs: large values [2]',
    )
  })

  test('bring the code that a sentence leads in to, as it stands', async () => {
    const { text } = await ask('How do I start Headworks?')
    assert.match(
      text,
      /^To start Headworks, run this command in the folder of the clone: \[3\]\n\n```sh\nnpm start {3}# installs, then serves\n```/,
    )
  })

  test('say a row of a table with the names of its columns', async () => {
    const { text } = await ask('What is the default of drainMs?')
    assert.equal(text, '`drainMs` (default: 10 s; what it bounds: the time that answers in flight get at the end). [4]')
  })

  test('never pass a number in brackets on as a citation', async () => {
    const { text } = await ask('What does a driver implement?')
    assert.equal(text, 'A driver implements a port (3). [2]')
  })

  test('say so when nothing answers', async () => {
    for (const question of [
      'Who won the chess championship?',
      'What is the capital of France?',
      'How do I connect to Oracle?',
    ]) {
      const { text, last } = await ask(question)
      assert.equal(text, 'The sources do not answer this question.')
      assert.deepEqual(last['headworks'], { answered: false, quotes: [] })
    }
  })

  test('rest on quotes whose ranges are in the source', async () => {
    const { last } = await ask('How do I back up the data?')
    const { answered, quotes } = last['headworks'] as {
      answered: boolean
      quotes: { source: number; start: number; end: number }[]
    }
    assert.equal(answered, true)
    assert.deepEqual(
      quotes.map(({ source, start, end }) => [source, BACKUP.slice(start, end)]),
      [
        [1, 'Stop Headworks and copy the data folder.'],
        [1, 'To restore, put the copy back and start it again.'],
      ],
    )
  })

  test('point into long sources, too', async () => {
    const long = `${'Filler about nothing much at all.\n\n'.repeat(600)}The zebra crossing is closed on Mondays.`
    const { text, last } = await ask(
      'When is the zebra crossing closed?',
      writeSources([{ number: 7, title: 'Town', text: long }], MARKS),
    )
    assert.equal(text, 'The zebra crossing is closed on Mondays. [7]')
    const [quote] = (last['headworks'] as { quotes: { start: number; end: number }[] }).quotes
    assert.equal(long.slice(quote?.start, quote?.end), 'The zebra crossing is closed on Mondays.')
  })

  test('lean on the question before where the present one cannot stand alone', async () => {
    const { text } = await say([
      { role: 'system', content: sources },
      { role: 'user', content: 'Where do the logs go?' },
      { role: 'assistant', content: 'To the standard error.' },
      { role: 'user', content: 'And what is on each line of them?' },
    ])
    assert.match(text, /Each line is one JSON object\. \[1\]/)
  })
})

describe('without marked sources', () => {
  test('a text before the question is read, and there is nothing to cite', async () => {
    for (const messages of [
      [{ role: 'user', content: `${BACKUP}\n\nHow do I back up the data?` }],
      [{ role: 'user', content: `How do I back up the data?\n\n${BACKUP}` }],
      [
        { role: 'system', content: BACKUP },
        { role: 'user', content: [{ type: 'text', text: 'Question: How do I back up the data?' }] },
      ],
    ]) {
      const { text, last } = await say(messages)
      assert.equal(text, 'Stop Headworks and copy the data folder. To restore, put the copy back and start it again.')
      assert.deepEqual(last['headworks'], { answered: true, quotes: [] })
    }
  })

  test('with no text at all, it says what it is', async () => {
    for (const messages of [
      [],
      [{ role: 'user', content: 'Hello!' }],
      [{ role: 'user' }],
      ['rubbish'],
    ] as JsonObject[][]) {
      const { text, last } = await say(messages)
      assert.match(text, /only quotes the text it is given/)
      assert.deepEqual(last['headworks'], { answered: false, quotes: [] })
    }
  })
})

describe('refusals', () => {
  test('what would change the answer and cannot be done is refused by name', async () => {
    for (const [field, value] of [
      ['n', 2],
      ['n', 0],
      ['response_format', { type: 'json_object' }],
      ['tool_choice', 'required'],
      ['tool_choice', { type: 'function', function: { name: 'f' } }],
      ['logprobs', true],
    ] as const) {
      const { fault } = await say([{ role: 'user', content: 'Hi' }], { [field]: value })
      assert.equal(fault?.code, 'field_invalid')
      assert.equal(fault.details['field'], field)
    }
    const { fault } = await say([{ role: 'user', content: 'Hi' }], {
      n: 1,
      response_format: { type: 'text' },
      tool_choice: 'auto',
      logprobs: false,
    })
    assert.equal(fault, undefined)
  })

  test('a prompt beyond the limit is refused, by tokens and by length', async () => {
    const engine = open(systemClock, 50)
    for (const content of ['word '.repeat(51), 'x'.repeat(401), '!'.repeat(51)]) {
      assert.equal((await say([{ role: 'user', content }], {}, engine)).fault?.code, 'context_too_long')
    }
    assert.equal((await say([{ role: 'user', content: 'word '.repeat(50) }], {}, engine)).fault, undefined)
  })

  test('stop sequences end the answer', async () => {
    const messages = [
      { role: 'system', content: sources },
      { role: 'user', content: 'How do I back up the data?' },
    ]
    assert.equal((await say(messages, { stop: ' [1]' })).text, 'Stop Headworks and copy the data folder.')
    assert.equal((await say(messages, { stop: ['zebra', 'copy'] })).text, 'Stop Headworks and ')
  })
})

test('long work gives others their turn', async () => {
  // A clock on which every look costs a millisecond: work is sliced by what it looks like to it.
  let now = 0
  let turns = 0
  const clock: Clock = {
    monotonicMs: () => now++,
    wallMs: () => 0,
    after: (delayMs, task) => {
      turns++
      return systemClock.after(delayMs, task)
    },
  }
  const text = 'Some sentence about the thing. '.repeat(3000)
  await say([{ role: 'user', content: `${text}\n\nWhat is the thing?` }], {}, open(clock))
  assert.ok(turns >= 3, `${turns} turns`)
})

test('hostile prompts are read in linear time', async () => {
  const marks = '<source id="1" title="">\n'.repeat(9000)
  for (const content of [
    marks,
    `</source>${marks}`,
    '<source '.repeat(20_000),
    'what '.repeat(30_000),
    '?'.repeat(20_000),
    '[a]('.repeat(20_000),
    '**'.repeat(20_000),
  ]) {
    const { text, fault } = await say([{ role: 'user', content: `${content}\n\nWhat is it?` }])
    assert.ok(text !== '' || fault?.code === 'context_too_long')
  }
})
