import { reasonOf, Refusal, remedyOf, sentenceOf, toProblem } from '../base/errors.ts'
import { formatBytes, formatCount, formatMs } from '../base/units.ts'
import type { LoadedConfig } from '../config/load.ts'

/** What `doctor` looks at. Each check asks one question and answers in one line. */

/** The machine and the parts, as the checks see them. A probe that cannot tell rejects. */
export interface Probes {
  /** `26.10.0`. */
  readonly nodeVersion: string
  /** `linux-x64`. */
  readonly platform: string
  /** Version of the Node that came with the project; undefined when npm left it out. */
  platformPackage(): Promise<string | undefined>
  /** Bytes a process may still take, container limits included. */
  memoryFreeBytes(): Promise<number>
  /** Of the file system that holds `folder`, or would. */
  diskFreeBytes(folder: string): Promise<number>
  /** Median of a few small durable writes in `folder`. Leaves nothing behind. */
  durableWriteMs(folder: string): Promise<number>
  /** Undefined when it does not exist. `mode` are its permission bits; 0 where there are none. */
  folder(path: string): Promise<{ readonly writable: boolean; readonly mode: number } | undefined>
  /** The process that has the data folder open. */
  lockHolder(data: string): Promise<number | undefined>
  /** Who listens on `host:port`. */
  listening(address: string): Promise<'nobody' | 'headworks' | 'another'>
  /** Every engine of the configuration. */
  engines(loaded: LoadedConfig): readonly EngineProbe[]
  /** The gateways of the running process. */
  gateways(): Promise<readonly GatewayHealth[]>
  /** Reads store and index through, or asks the running process. */
  store(loaded: LoadedConfig): Promise<StoreHealth>
}

export interface EngineProbe {
  readonly name: string
  /** Rejects with a `Fault` when it cannot be reached. */
  models(timeoutMs: number): Promise<string[]>
}

export interface GatewayHealth {
  readonly node: string
  /** Absent while it is dead. */
  readonly pid?: number
  readonly restarts: number
  /** As it sees them. */
  readonly deployments: readonly DeploymentHealth[]
}

export interface DeploymentHealth {
  readonly deployment: string
  /** Operations it is not asked for. */
  readonly leftOut: readonly string[]
  /** Why and since when it is not closed. */
  readonly reason: string | null
  readonly since: string | null
}

export interface StoreHealth {
  readonly collections: number
  readonly documents: number
  readonly chunks: number
  /** One line for each thing that is damaged. */
  readonly damage: readonly string[]
}

export interface Finding {
  readonly state: 'ok' | 'warn' | 'fail'
  readonly text: string
  /** What to do; absent where all is well. */
  readonly remedy?: string
}

export interface Check {
  readonly name: string
  readonly look: (probes: Probes, loaded: LoadedConfig | Refusal) => Promise<readonly Finding[]>
}

const ok = (text: string): Finding[] => [{ state: 'ok', text }]
const warn = (text: string, remedy: string): Finding[] => [{ state: 'warn', text, remedy }]
const fail = (text: string, remedy: string): Finding[] => [{ state: 'fail', text, remedy }]

const NODE_MAJOR_MIN = 26
const MEMORY_LOW_BYTES = 512e6
const MEMORY_TOO_LOW_BYTES = 192e6
const DISK_LOW_BYTES = 1e9
const DISK_TOO_LOW_BYTES = 100e6
const DURABLE_WRITE_SLOW_MS = 25
const ENGINE_TIMEOUT_MS = 5_000
const OTHERS_MAY = 0o077

export const CHECKS: readonly Check[] = [
  {
    name: 'node',
    async look({ nodeVersion }) {
      return Number.parseInt(nodeVersion, 10) >= NODE_MAJOR_MIN
        ? ok(nodeVersion)
        : fail(nodeVersion, `Node ${NODE_MAJOR_MIN} or later is needed: \`npm start\` brings its own.`)
    },
  },
  {
    name: 'platform',
    async look({ platform, platformPackage }) {
      const version = await platformPackage()
      if (version !== undefined) return ok(`${platform}, with its own Node ${version}`)
      return warn(
        `${platform}, without a Node of its own`,
        "Run `npm install` without --omit=optional, or keep the machine's Node up to date yourself.",
      )
    },
  },
  {
    name: 'memory',
    async look(probes) {
      const free = await probes.memoryFreeBytes()
      if (free < MEMORY_TOO_LOW_BYTES)
        return fail(
          `${formatBytes(free)} free`,
          `At least ${formatBytes(MEMORY_TOO_LOW_BYTES)} are needed: end other programs or raise the container's limit.`,
        )
      return free < MEMORY_LOW_BYTES
        ? warn(`${formatBytes(free)} free`, 'Reading large documents may run out of it.')
        : ok(`${formatBytes(free)} free`)
    },
  },
  {
    name: 'config',
    async look(_, loaded) {
      if (loaded instanceof Refusal) return fail(sentenceOf(loaded), remedyOf(loaded))
      return ok(loaded.fileFound ? loaded.file : `no ${loaded.file}: the defaults are in force`)
    },
  },
  {
    name: 'data folder',
    look: withConfig(async (probes, { config: { data } }) => {
      const found = await probes.folder(data)
      if (found === undefined) return ok(`${data} will be made at the first start`)
      if (!found.writable)
        return fail(
          `${data} cannot be written`,
          'Give it to the user Headworks runs as, or set HEADWORKS_DATA to another folder.',
        )
      if ((found.mode & OTHERS_MAY) !== 0)
        return warn(`${data} is open to other users of this machine`, `Run: chmod 700 ${data}`)
      return ok(data)
    }),
  },
  {
    name: 'disk space',
    look: withConfig(async (probes, { config: { data } }) => {
      const free = await probes.diskFreeBytes(data)
      if (free < DISK_TOO_LOW_BYTES)
        return fail(`${formatBytes(free)} free`, 'Free some space: writes are about to fail.')
      return free < DISK_LOW_BYTES
        ? warn(`${formatBytes(free)} free`, 'Free some space, or set HEADWORKS_DATA to a larger disk.')
        : ok(`${formatBytes(free)} free`)
    }),
  },
  {
    name: 'disk speed',
    look: withConfig(async (probes, { config: { data } }) => {
      const ms = await probes.durableWriteMs(data)
      if (ms > DURABLE_WRITE_SLOW_MS)
        return warn(
          `a durable write takes ${formatMs(ms)}`,
          'Every request is recorded durably: put the data folder on a local SSD.',
        )
      return ok(`a durable write takes ${formatMs(ms)}`)
    }),
  },
  {
    name: 'lock',
    look: withConfig(async (probes, { config: { data } }) => {
      const pid = await probes.lockHolder(data)
      return ok(pid === undefined ? 'no Headworks runs on this data folder' : `process ${pid} runs on this data folder`)
    }),
  },
  {
    name: 'address',
    look: withConfig(async (probes, { config: { listen } }) => {
      const who = await probes.listening(listen)
      if (who === 'another')
        return fail(
          `${listen} is in use by another program`,
          'Stop that program, or set HEADWORKS_LISTEN to another address.',
        )
      return ok(who === 'headworks' ? `Headworks answers at ${listen}` : `${listen} is free`)
    }),
  },
  {
    name: 'gateways',
    look: withConfig(async (probes, { config }) => {
      if ((await probes.lockHolder(config.data)) === undefined) return ok(`${config.gateways} at the next start`)
      const found = await probes.gateways()
      const dead = found.filter(({ pid }) => pid === undefined).map(({ node }) => node)
      if (dead.length > 0)
        return fail(
          `${dead.join(', ')} of ${found.length} does not run`,
          'It is started again by itself; the log says why it ended.',
        )
      const restarts = found.reduce((sum, one) => sum + one.restarts, 0)
      return restarts > 0
        ? warn(`${found.length} answer; restarts since the start: ${restarts}`, 'The log says why each of them ended.')
        : ok(`${found.length} ${found.length === 1 ? 'answers' : 'answer'}`)
    }),
  },
  {
    name: 'circuits',
    look: withConfig(async (probes, { config }) => {
      if ((await probes.lockHolder(config.data)) === undefined) return ok('all closed at the start')
      const found = (await probes.gateways()).flatMap(({ node, deployments }) =>
        deployments.map((one) => ({ node, ...one })),
      )
      const open = found.filter(({ leftOut }) => leftOut.length > 0)
      if (open.length === 0) return ok(`${found.length} ${found.length === 1 ? 'is' : 'are'} closed`)
      return open.flatMap(({ node, deployment, leftOut, since, reason }) =>
        warn(
          `${deployment} is left out of ${leftOut.join(', ')} by ${node} since ${since ?? 'a moment ago'}: ${reason ?? 'it failed'}`,
          'It is tried again by itself, and comes back once it answers.',
        ),
      )
    }),
  },
  {
    name: 'engine',
    look: withConfig(async (probes, loaded) => {
      const found = await Promise.all(probes.engines(loaded).map((engine) => lookAtEngine(engine, loaded)))
      return found.flat()
    }),
  },
  {
    name: 'store',
    look: withConfig(async (probes, loaded) => {
      const { collections, documents, chunks, damage } = await probes.store(loaded)
      if (damage.length > 0)
        return damage.flatMap((line) =>
          fail(line, 'Ingest the collection again: documents are read anew from their sources.'),
        )
      return ok(
        `${formatCount(collections)} collections, ${formatCount(documents)} documents, ${formatCount(chunks)} passages, all readable`,
      )
    }),
  },
]

function withConfig(look: (probes: Probes, loaded: LoadedConfig) => Promise<Finding[]>): Check['look'] {
  return async (probes, loaded) =>
    loaded instanceof Refusal ? warn('not looked at', 'Correct the configuration first.') : look(probes, loaded)
}

async function lookAtEngine(engine: EngineProbe, { config }: LoadedConfig): Promise<Finding[]> {
  const wanted = Object.values(config.models).flatMap(({ deployments }) =>
    deployments.filter((one) => one.engine === engine.name).map(({ model }) => model),
  )
  const settings = config.engines[engine.name]
  const listed = settings?.kind === 'openai' ? (settings.models ?? []) : []
  try {
    const served = new Set([...(await engine.models(ENGINE_TIMEOUT_MS)), ...listed])
    const missing = [...new Set(wanted)].filter((model) => !served.has(model))
    if (missing.length === 0) return ok(`${engine.name} serves ${nameSome([...served])}`)
    return warn(
      `${engine.name} does not list ${missing.join(', ')}; it serves ${nameSome([...served])}`,
      'Correct `model` of the deployment, or load that model there.',
    )
  } catch (thrown) {
    const problem = toProblem(thrown)
    // A server without a list of models answers 404 to it: it is there all the same.
    if (listed.length > 0 && problem.code === 'engine_refused') return ok(`${engine.name} answers; it lists no models`)
    return wanted.length === 0
      ? warn(`${sentenceOf(problem)} No model uses it.`, remedyOf(problem))
      : fail(sentenceOf(problem), remedyOf(problem))
  }
}

const NAMED_MAX = 4

function nameSome(names: readonly string[]): string {
  if (names.length === 0) return 'no model'
  const more = names.length - NAMED_MAX
  return `${names.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Runs one check; a probe that failed is a finding, not a crash. */
export async function examine(
  check: Check,
  probes: Probes,
  loaded: LoadedConfig | Refusal,
): Promise<readonly Finding[]> {
  try {
    return await check.look(probes, loaded)
  } catch (thrown) {
    const problem = toProblem(thrown)
    return problem.code === 'internal'
      ? fail(`cannot be told: ${reasonOf(thrown)}`, 'Look at the data folder and its disk.')
      : fail(sentenceOf(problem), remedyOf(problem))
  }
}
