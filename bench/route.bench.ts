import { systemRandom } from '../src/base/random.ts'
import { systemClock as clock } from '../src/base/clock.ts'
import { Health, type Prompt } from '../src/engine/health.ts'
import { LexicalEngine } from '../src/drivers/lexical/engine.ts'
import { Analyzer } from '../src/base/words.ts'
import type { Affinity, LogicalModel, Routing } from '../src/gateway/catalogue.ts'
import { promptOf } from '../src/gateway/route/prompt.ts'
import { route } from '../src/gateway/route/route.ts'
import { sizeOfChat, tokensOf } from '../src/gateway/route/size.ts'
import { always } from '../src/meter/prices.ts'
import { type Bench, type BenchOptions, compare, percentilesOf, type Result } from './harness.ts'

/** What it takes to decide where a request goes: its size, the order of the deployments, and the books
 *  of the one that is taken. With the most deployments a model may have, for short and for long
 *  prompts. */

export const name: Bench['name'] = 'route'

const DEPLOYMENTS = 64
const ROUNDS = 20
const DECISIONS = 2_000
const AIM = 'at most 100 us'
const ROUTINGS: readonly Routing[] = ['weighted', 'priority', 'least_outstanding', 'p2c', 'cheapest', 'fastest']
/** As a model is routed: a strategy alone, or an affinity over the one that costs most beside it. */
const WAYS: readonly { readonly name: string; readonly routing: Routing; readonly affinity?: Affinity }[] = [
  ...ROUTINGS.map((routing) => ({ name: routing, routing })),
  { name: 'sticky by user', routing: 'p2c', affinity: { by: 'user' } },
  { name: 'prefix-cache aware', routing: 'p2c', affinity: { by: 'prefix', releaseTokens: 16_384 } },
]

const say = (content: string) => ({ role: 'user', content })
const PROMPTS = {
  'one line': { messages: [say('Hello?')] },
  '4 MB in one message': { messages: [say('A sentence that goes on. '.repeat(170_000))] },
  '10,000 messages': { messages: Array.from({ length: 10_000 }, (_, at) => say(`Message ${at}. `.repeat(30))) },
} as const

function modelOf({ routing, affinity }: (typeof WAYS)[number]): LogicalModel {
  const health = new Health({ clock })
  const analyzer = new Analyzer()
  return {
    name: 'chat',
    kind: 'model',
    description: '',
    operations: ['chat'],
    deployments: Array.from({ length: DEPLOYMENTS }, (_, at) => ({
      engine: new LexicalEngine({ name: `engine-${at}`, analyzer }),
      model: 'm',
      weight: 1 + (at % 3),
      health: health.of(`engine-${at}/m`, ''),
      priceAt: always(
        { inputNanoUsd: BigInt(1_000 + at), cachedInputNanoUsd: 1_000n, outputNanoUsd: BigInt(9_000 - at) },
        'config',
      ),
    })),
    routing,
    ...(affinity === undefined ? {} : { affinity }),
    fallback: [],
    outputTokensMax: 1_024,
    timeouts: { connectMs: 1, firstTokenMs: 1, betweenTokensMs: 1, totalMs: 1 },
  }
}

/** As many decisions, each with its call begun and ended: how long each took, in milliseconds. */
function decide(model: LogicalModel, body: (typeof PROMPTS)[keyof typeof PROMPTS]): number[] {
  const took: number[] = []
  for (let n = 0; n < DECISIONS; n++) {
    const startedMs = performance.now()
    const size = sizeOfChat(body, model.outputTokensMax)
    let known: Prompt | undefined
    const prompt = (): Prompt => (known ??= promptOf(body, size.inputTokens))
    const asker = { user: `user-${n % 100}` }
    const request = { operation: 'chat', size, atMs: startedMs, stream: true, asker, prompt } as const
    const [first] = route(model, request, systemRandom)
    const own = model.affinity?.by === 'prefix' ? { prompt: prompt() } : {}
    const visit = first?.deployment.health?.begin('chat', { tokens: tokensOf(size), stream: true, ...own })
    visit?.spoke()
    visit?.end('answered')
    took.push(performance.now() - startedMs)
  }
  return took
}

export async function run({ effort }: BenchOptions): Promise<readonly Result[]> {
  const rounds = Math.max(3, Math.round(ROUNDS * effort))
  const results: Result[] = []
  for (const way of WAYS) {
    const { name: strategy } = way
    const model = modelOf(way)
    for (const prompt of ['4 MB in one message', '10,000 messages'] as const) {
      const compared = await compare({
        name: `${strategy} over ${DEPLOYMENTS} deployments: ${prompt} and one line`,
        subject: { name: prompt, run: () => decide(model, PROMPTS[prompt]) },
        reference: { name: 'one line', run: () => decide(model, PROMPTS['one line']) },
        rounds,
        operations: DECISIONS,
      })
      const { n, median, min, max } = compared.subject.cpuMs
      results.push(compared, {
        kind: 'figure',
        name: `${strategy}, ${prompt}: CPU of a decision`,
        unit: 'us',
        value: median * 1_000,
        n: n * DECISIONS,
        min: min * 1_000,
        max: max * 1_000,
        target: AIM,
      })
    }
    const small = percentilesOf(decide({ ...model, deployments: model.deployments.slice(0, 4) }, PROMPTS['one line']))
    results.push({
      kind: 'figure',
      name: `${strategy} over 4 deployments, one line: p50`,
      unit: 'us',
      value: small.p50 * 1_000,
      n: small.n,
      target: AIM,
    })
  }
  return results
}
