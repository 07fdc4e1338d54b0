/** Documents, sources and stages for the scripted house: what a handbook, a search and a trace
 *  look like. */

const ENGINES = `# Engines

An engine is where models run: a GPU server, a provider, or one of the two that come with Headworks. All of them stand behind the same port, so they stream, meter and fail the same way.

## The embedded engines

\`reader\` answers with the sentences of the given context that best answer the question, and says so when none does. \`lexical\` ranks by full text. Neither needs weights, a network or a GPU.

## Put a real model behind it

Any OpenAI-compatible server can be an engine. Name it under \`engines:\` with its URL, then give a logical model one deployment on it. Five lines are enough:

    engines:
      local: { kind: openai, url: http://127.0.0.1:8000/v1 }
    models:
      chat:
        deployments: [{ engine: local, model: Qwen3-32B }]

Then run \`npx headworks doctor\`. It tries every engine, says which answers, and what to do about the ones that do not. A model that is named but not served is reported with the names the engine does serve.

## Time-outs

Three limits stand on every call: the time to the first token, the time between two tokens, and the whole. Each is set per model.

## When an engine fails

A failure before the first content frame is retried on the next deployment, then on the fallback. After it, the stream ends with an error frame and without the closing mark, so that a truncation is never taken for an answer.
`

const CONFIGURATION = `# Configuration

One file, \`headworks.yaml\`, everything in it optional.

## Reloading

The file is watched. What can change while running is reloaded at once: models, workflows, budgets, prices. What cannot, such as the address to listen on, is named in the log together with the value still in force.

## Secrets

A secret is never written into the file. Write \`env:NAME\` or \`file:/path\`; the value is read when the configuration loads, and never shown by \`headworks config show\`.
`

const OPERATIONS = `# Operations

## The doctor

\`headworks doctor\` checks the machine, the ports, the disk, the configuration and every engine. Each finding comes with one sentence on what to do. It changes nothing.

## Draining

On SIGTERM no new work is taken, answers under way are finished, and the process ends.
`

const row = (id: string, uri: string, title: string, text: string) => ({
  id,
  uri,
  title,
  mediaType: 'text/markdown',
  contentHash: '0'.repeat(64),
  bytes: Buffer.byteLength(text),
  segment: 's1',
  firstChunk: 0,
  chunkCount: 4,
  ingestedAtMs: 1_763_800_000_000,
  text,
})

export const DOCUMENTS = [
  row(
    'd1',
    'docs/engines.md',
    'Engines',
    ENGINES.repeat(1) +
      '\n\n## Appendix\n\n' +
      'An appendix goes on and on, so that there is something to scroll through.\n\n'.repeat(60),
  ),
  row('d2', 'docs/configuration.md', 'Configuration', CONFIGURATION),
  row('d3', 'docs/operations.md', 'Operations', OPERATIONS),
]

function source(number: number, id: string, headings: string[], from: string, to: string, quoted: string[]) {
  const document = DOCUMENTS.find((one) => one.id === id)
  if (document === undefined) throw new Error(`no document ${id}`)
  const start = document.text.indexOf(from)
  const end = document.text.indexOf(to, start) + to.length
  const text = document.text.slice(start, end)
  const quotes = quoted.map((sentence) => ({
    start: text.indexOf(sentence),
    end: text.indexOf(sentence) + sentence.length,
  }))
  return {
    number,
    collection: 'handbook',
    document: id,
    uri: document.uri,
    title: document.title,
    headings,
    start,
    end,
    text,
    quotes,
  }
}

export const SOURCES = [
  source(1, 'd1', ['Engines', 'Put a real model behind it'], 'Any OpenAI-compatible', 'does serve.', [
    'Name it under `engines:` with its URL, then give a logical model one deployment on it.',
    'It tries every engine, says which answers, and what to do about the ones that do not.',
  ]),
  source(2, 'd2', ['Configuration', 'Reloading'], 'The file is watched.', 'config show`.', [
    'What can change while running is reloaded at once: models, workflows, budgets, prices.',
    'A secret is never written into the file.',
  ]),
  source(3, 'd3', ['Operations', 'The doctor'], '`headworks doctor` checks', 'It changes nothing.', [
    'Each finding comes with one sentence on what to do.',
  ]),
  source(4, 'd1', ['Engines', 'Time-outs'], 'Three limits stand', 'per model.', []),
]

const stage = (name: string, parent: number, start_ms: number, end_ms: number, attributes: object = {}) => ({
  name,
  parent,
  start_ms,
  end_ms,
  attributes,
})

export const STAGES = [
  stage('admit', -1, 0.04, 0.31, { key: 'first admin', role: 'admin' }),
  stage('call', -1, 0.33, 31.9, { deployment: 'docs', attempt: 1 }),
  stage('retrieve', 1, 0.5, 12.8, { collection: 'handbook' }),
  stage('search', 2, 0.62, 7.9, { k: 40, candidates: 40, feedback: true, segments: 1 }),
  stage('rerank', 2, 8.02, 12.1, { engine: 'lexical', documents: 40, kept: 8 }),
  stage('assemble', 1, 12.9, 13.6, { sources: 4, tokens: 1874, contextTokensMax: 4000 }),
  stage('model', 1, 13.8, 31.6, { deployment: 'reader', inputTokens: 1874, outputTokens: 126 }),
  stage('settle', -1, 31.9, 33.2, { outcome: 'answered', durable: true }),
]
