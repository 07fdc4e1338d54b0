import { dirname, join, resolve } from 'node:path'
import { reasonOf, refuse, type Refusal } from '../base/errors.ts'
import { defaults, layOver } from './defaults.ts'
import { explain, type Issue } from './explain.ts'
import { problemsText, shown, type ConfigProblem, type Path } from './problem.ts'
import { ENCODINGS } from './models.ts'
import { findMisnamed } from './names.ts'
import { CONFIG, type Config, type SourceConfig } from './schema.ts'
import { lookUp, referencesIn } from './references.ts'
import { Secret, type Secrets } from './secret.ts'
import type { YamlFile } from './yaml.ts'

export interface ConfigInputs {
  /** The file's bytes; undefined when there is none. Rejects when it cannot be read. */
  readonly readFile: (path: string) => Promise<Uint8Array | undefined>
  readonly env: Environment
  /** Absolute. */
  readonly cwd: string
  /** The project's own documents, absolute: the default collection. */
  readonly docsFolder: string
}

export interface Environment {
  readonly [name: string]: string | undefined
}

export interface LoadedConfig {
  readonly config: Config
  readonly secrets: Secrets
  /** The file that `prices` names. */
  readonly prices?: { readonly path: string; readonly bytes: Uint8Array }
  /** `HEADWORKS_ADMIN_KEY`, where it is set. */
  readonly adminKey?: Secret
  /** Where the file is, or would be looked for: what to watch. Absolute. */
  readonly file: string
  readonly fileFound: boolean
}

const FILE_NAME = 'headworks.yaml'

/** What a header can carry, and nobody finds by trying: keys are hashed once, and tried at any rate. */
const ADMIN_KEY = /^[!-~]{20,200}$/
const ADMIN_KEY_PROBLEM: ConfigProblem = {
  path: ['HEADWORKS_ADMIN_KEY'],
  wrong: 'is not 20 to 200 visible ASCII characters without blanks',
  remedy: 'Choose a long random one, or leave it out to have one made.',
}

/** Reads, completes, checks and freezes the configuration. Every problem is found at once: the
 *  refusal's `problems` is their text, `list` the problems themselves. */
export async function loadConfig(inputs: ConfigInputs): Promise<LoadedConfig | Refusal> {
  const { readFile, cwd, docsFolder } = inputs
  const env = (name: string): string | undefined => inputs.env[name] || undefined
  const named = env('HEADWORKS_CONFIG')
  const file = resolve(cwd, named ?? FILE_NAME)
  const read = await readConfigFile(file, named !== undefined, readFile)
  const refuseAll = (list: readonly ConfigProblem[]): Refusal =>
    refuse('config_invalid', { file: named ?? FILE_NAME, problems: problemsText(named ?? FILE_NAME, list), list })
  if ('refused' in read) return refuseAll(read.refused)
  const yaml = read

  const whole = { ...layOver(yaml.value as { readonly [name: string]: unknown }, defaults(docsFolder)) }
  const overridden = override(whole, env)
  const parsed = CONFIG.safeParse(whole)
  const problems = [
    ...yaml.problems,
    ...explain((parsed.error?.issues ?? []) as unknown as readonly Issue[], whole, yaml).map((problem) =>
      fromEnvironment(problem, overridden),
    ),
    ...findMisnamed(whole).map(({ path, of, wrong, remedy }) =>
      place({ path, wrong, remedy }, yaml, of, valueOf(whole, path, of)),
    ),
  ]
  const base = dirname(file)
  const secrets = new Map<string, Secret>()
  for (const { path, reference } of referencesIn(whole)) {
    const found = secrets.get(reference) ?? (await lookUp(reference, { readFile, env, base }))
    if (found instanceof Secret) secrets.set(reference, found)
    else problems.push(place({ path, ...found }, yaml, 'value', reference))
  }
  const adminKey = env('HEADWORKS_ADMIN_KEY')
  if (adminKey !== undefined && !ADMIN_KEY.test(adminKey)) problems.push(ADMIN_KEY_PROBLEM)
  const prices =
    parsed.data?.prices === undefined ? undefined : await readPrices(resolve(base, parsed.data.prices), readFile)
  if (typeof prices === 'string')
    problems.push(
      place({ path: ['prices'], wrong: prices, remedy: 'Correct the path, or take it out.' }, yaml, 'value'),
    )
  if (parsed.data === undefined || problems.length > 0 || typeof prices === 'string') return refuseAll(problems)

  const config = absolute(parsed.data, base, env('HEADWORKS_DATA') === undefined ? base : cwd)
  return {
    config: freeze(config),
    secrets,
    ...(prices === undefined ? {} : { prices }),
    ...(adminKey === undefined ? {} : { adminKey: new Secret(adminKey) }),
    file,
    fileFound: yaml !== NO_FILE,
  }
}

const NO_FILE: YamlFile = { value: {}, problems: [], locate: () => undefined }

/** The file's content, or why there is none to work with. */
async function readConfigFile(
  file: string,
  named: boolean,
  readFile: ConfigInputs['readFile'],
): Promise<YamlFile | { readonly refused: readonly ConfigProblem[] }> {
  const refused = (wrong: string, remedy: string) => ({ refused: [{ path: [], wrong, remedy }] })
  let bytes: Uint8Array | undefined
  try {
    bytes = await readFile(file)
  } catch (error) {
    return refused(`cannot be read: ${reasonOf(error)}`, 'Make it readable, or let HEADWORKS_CONFIG name another file.')
  }
  if (bytes === undefined) {
    if (!named) return NO_FILE
    return refused('does not exist', 'HEADWORKS_CONFIG names it: correct the path, or unset the variable.')
  }
  // The parser is loaded only where there is something to parse.
  const { readYaml } = await import('./yaml.ts')
  const yaml = readYaml(bytes)
  if (typeof yaml.value === 'object' && !Array.isArray(yaml.value)) return yaml
  return refused('is no mapping', 'Begin with a field at the left edge, such as `listen: 127.0.0.1:4750`.')
}

/** The bytes of the price file, or what is wrong with it. */
async function readPrices(
  path: string,
  readFile: ConfigInputs['readFile'],
): Promise<{ path: string; bytes: Uint8Array } | string> {
  try {
    const bytes = await readFile(path)
    return bytes === undefined ? 'names a file that does not exist' : { path, bytes }
  } catch (error) {
    return `names a file that cannot be read: ${reasonOf(error)}`
  }
}

const OVERRIDES = { listen: 'HEADWORKS_LISTEN', data: 'HEADWORKS_DATA' } as const

function override(
  whole: { [name: string]: unknown },
  env: (name: string) => string | undefined,
): ReadonlyMap<string, string> {
  const done = new Map<string, string>()
  for (const [field, variable] of Object.entries(OVERRIDES)) {
    const value = env(variable)
    if (value === undefined) continue
    whole[field] = value
    done.set(field, variable)
  }
  return done
}

function fromEnvironment(problem: ConfigProblem, overridden: ReadonlyMap<string, string>): ConfigProblem {
  const variable = overridden.get(String(problem.path[0]))
  if (variable === undefined) return problem
  const { place: _, ...rest } = problem
  return { ...rest, path: [variable] }
}

function place(problem: ConfigProblem, yaml: YamlFile, of: 'name' | 'value', value?: string): ConfigProblem {
  const found = yaml.locate(problem.path, of)
  return { ...problem, ...(found === undefined ? {} : { place: found }), ...(value === undefined ? {} : { value }) }
}

function valueOf(root: unknown, path: Path, of: 'name' | 'value'): string | undefined {
  if (of === 'name') return undefined
  return shown(
    path.reduce<unknown>((value, part) => (value as { readonly [name: string | number]: unknown })[part], root),
  )
}

/** Paths start at the folder of the file, those of the environment at the working directory. */
function absolute(config: Config, base: string, dataBase: string): Config {
  const collections = Object.create(null) as { [name: string]: Config['collections'][string] }
  for (const [name, collection] of Object.entries(config.collections)) {
    collections[name] = {
      ...collection,
      sources: collection.sources.map((source) => placed(source, base)),
    }
  }
  const engines = Object.create(null) as { [name: string]: Config['engines'][string] }
  for (const [name, engine] of Object.entries(config.engines))
    engines[name] =
      engine.kind === 'onnx' ? withFolders(engine, base) : engine.kind === 'openai' ? reached(engine, base) : engine
  const models = Object.create(null) as { [name: string]: Config['models'][string] }
  for (const [name, model] of Object.entries(config.models))
    models[name] = { ...model, deployments: model.deployments.map((deployment) => withFile(deployment, base)) }
  const prices = config.prices === undefined ? {} : { prices: resolve(base, config.prices) }
  const { folder } = config.prompts
  const prompts = folder === undefined ? config.prompts : { ...config.prompts, folder: resolve(base, folder) }
  const tls = config.tls === undefined ? {} : { tls: inFolder(config.tls, base) }
  return { ...config, ...prices, ...tls, prompts, data: resolve(dataBase, config.data), engines, models, collections }
}

/** `runtime` of an engine without one: beside the file. */
function withFolders<Engine extends { readonly folder: string; readonly runtime?: string | undefined }>(
  engine: Engine,
  base: string,
): Engine {
  const { folder, runtime = join('node_modules', 'onnxruntime-node') } = engine
  return { ...engine, folder: resolve(base, folder), runtime: resolve(base, runtime) }
}

function placed(source: SourceConfig, base: string): SourceConfig {
  switch (source.kind) {
    case 'folder':
    case 'sqlite':
      return { ...source, path: resolve(base, source.path) }
    case 'glob':
      return { ...source, pattern: resolve(base, source.pattern) }
    case 'git':
      return source.repository.includes('://') ? source : { ...source, repository: resolve(base, source.repository) }
    default:
      return source
  }
}

function withFile<Deployment extends { readonly tokenizer?: string | undefined }>(
  deployment: Deployment,
  base: string,
): Deployment {
  const { tokenizer } = deployment
  if (tokenizer === undefined || (ENCODINGS as readonly string[]).includes(tokenizer)) return deployment
  return { ...deployment, tokenizer: resolve(base, tokenizer) }
}

function freeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}

type Reached = Extract<Config['engines'][string], { readonly kind: 'openai' }>

/** By a socket, and with certificates. */
const reached = (engine: Reached, base: string): Reached => ({
  ...engine,
  ...(engine.socket === undefined ? {} : { socket: resolve(base, engine.socket) }),
  ...(engine.tls === undefined ? {} : { tls: inFolder(engine.tls, base) }),
})

/** Paths by their names, from the folder of the file. */
const inFolder = <Paths extends object>(paths: Paths, base: string): Paths =>
  Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, resolve(base, String(path))])) as Paths
