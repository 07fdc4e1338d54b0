import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ApiClient } from '../base/api.ts'
import { sleep, systemClock as clock } from '../base/clock.ts'
import { Refusal } from '../base/errors.ts'
import { runCli } from '../cli/cli.ts'
import { jsonLog } from '../base/log.ts'
import type { CliContext, Output } from '../cli/context.ts'
import type { House, HouseOptions } from '../cli/house.ts'
import { loadConfig, type LoadedConfig } from '../config/load.ts'
import { saveFile } from '../drivers/filesystem/save.ts'
import { HttpApiClient } from '../drivers/http/api-client.ts'
import { budgetsOf } from './budgets.ts'
import { controlSocket, openHouse } from './house.ts'
import { inPackage } from './package.ts'
import { namesPrices, priceLoader } from './prices.ts'
import { houseProbes } from './probes.ts'
import { namesTokenizers, tokenizerLoader } from './tokenizers.ts'

/** Of the configuration, for when it cannot be read. */
const DATA_DEFAULT = '.headworks'
/** A house that has not answered by then hangs. */
const HEALTH_MS_MAX = 3000

/** The command line on the real machine. Resolves to the exit code. */
export async function main(entry: string, words: readonly string[]): Promise<number> {
  const stopped = stopSignal()
  const houses: House[] = []
  const version = await packageVersion()

  const loadPrices = priceLoader(inPackage('catalogue/prices.json'), readFile)
  const log = jsonLog(clock, () => 'warn', writeLog)
  const loadTokenizers = tokenizerLoader({
    path: inPackage('catalogue/tokenizers.json'),
    readFile,
    onTrouble: (reason) => log.write('warn', 'a tokenizer cannot be read: bytes are counted', { reason }),
  })
  async function load(): Promise<LoadedConfig | Refusal> {
    const loaded = await loadConfig({
      readFile: readIfThere,
      env: process.env,
      cwd: process.cwd(),
      docsFolder: inPackage('docs'),
    })
    if (loaded instanceof Refusal) return loaded
    const budgets = budgetsOf(loaded)
    if (budgets instanceof Refusal) return budgets
    const prices = namesPrices(loaded) ? await loadPrices(loaded) : undefined
    if (prices instanceof Refusal) return prices
    const tokenizers = namesTokenizers(loaded) ? await loadTokenizers(loaded) : undefined
    return tokenizers instanceof Refusal ? tokenizers : loaded
  }

  async function start({
    gateways,
    ...options
  }: HouseOptions & { readonly listen: boolean }): Promise<House | Refusal> {
    const reload = async (): Promise<LoadedConfig | Refusal> => {
      const found = await load()
      return found instanceof Refusal || gateways === undefined
        ? found
        : { ...found, config: Object.freeze({ ...found.config, gateways }) }
    }
    const loaded = await reload()
    if (loaded instanceof Refusal) return loaded
    const house = await openHouse({
      ...options,
      version,
      entry,
      consoleFolder: inPackage('console/dist'),
      loaded,
      reload,
      loadPrices,
      loadTokenizers,
      stopped,
      writeLog,
    })
    houses.push(house)
    return house
  }

  let connected: Promise<ApiClient | Refusal> | undefined
  async function connect(): Promise<ApiClient | Refusal> {
    const loaded = await load()
    // A mistake in the file is no reason not to reach a house that runs on.
    const data = loaded instanceof Refusal ? resolve(process.env['HEADWORKS_DATA'] || DATA_DEFAULT) : loaded.config.data
    const socket = controlSocket(data)
    if (existsSync(socket)) {
      const running = new HttpApiClient({ address: socket })
      if (await isAlive(running)) return running
    }
    if (loaded instanceof Refusal) return loaded
    const house = await start({ listen: false, onEvent: () => {} })
    return house instanceof Refusal ? house : house.control
  }

  const context: CliContext = {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    clock,
    version,
    loadConfig: load,
    loadPrices,
    connect: () => (connected ??= connect()),
    startHouse: (options) => start({ ...options, listen: true }),
    saveFile: (path, pieces) => saveFile(resolve(path), pieces),
    probes: houseProbes(inPackage('.'), () => context.connect()),
    stopped,
  }
  const code = await runCli(words, context)
  await Promise.all(houses.map((house) => house.stop()))
  return code
}

const writeLog = (line: string): void => void process.stderr.write(`${line}\n`)

/** Aborted by the first Ctrl-C or SIGTERM; the second one ends the process as it is. */
function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort()
    })
  }
  return controller.signal
}

const outputOf = (stream: NodeJS.WriteStream): Output => ({
  write: (text) => void stream.write(text),
  get isTerminal() {
    return stream.isTTY
  },
  get columns() {
    return stream.columns
  },
})

async function packageVersion(): Promise<string> {
  return (JSON.parse(await readFile(inPackage('package.json'), 'utf8')) as { readonly version: string }).version
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function isAlive(house: ApiClient): Promise<boolean> {
  const known = new AbortController()
  const answers = house.request('GET', '/healthz').then(
    () => true,
    () => false,
  )
  const alive = await Promise.race([answers, sleep(clock, HEALTH_MS_MAX, known.signal).then(() => false)])
  known.abort()
  return alive
}
