import { stringify } from 'yaml'
import { configFields, type Field } from '../../src/config/fields.ts'
import { defaults } from '../../src/config/defaults.ts'

/** docs/configuration.md, from the schema. Written to be asked: each field is a heading of its
 *  own, so that a question about it finds it. */
export function configurationPage(): string {
  const root = configFields()
  const sections = Object.entries(root.properties ?? {}).map(([name, field]) => sectionText(name, field))
  return `${HEAD}\n${sections.join('\n')}\n${tail()}`
}

const HEAD = `# Configuration

Headworks needs no configuration. Everything can be set in one YAML file, \`headworks.yaml\` in the
folder it is started from; the environment variable \`HEADWORKS_CONFIG\` names another.
\`npx headworks config check\` reports every problem of the file at once, with line, column and remedy;
\`npx headworks config show\` prints the configuration in force, defaults included.

## How do I put a real model behind Headworks?

Name the server under \`engines\`, name a model of it under \`models\`, and let the workflow \`docs\` use
that model. Five lines in \`headworks.yaml\` do it, here for Ollama:

\`\`\`yaml
engines:
  ollama: { kind: openai, url: http://127.0.0.1:11434/v1 }
models:
  chat: { deployments: [{ engine: ollama, model: qwen3 }] }
workflows: { docs: { model: chat } }
\`\`\`

Any server that speaks OpenAI's interface works: vLLM, SGLang, Ollama, llama.cpp, LM Studio, or a
provider. A provider's key is never written into the file; it is referred to:

\`\`\`yaml
engines:
  openai: { kind: openai, url: https://api.openai.com/v1, key: env:OPENAI_API_KEY }
models:
  chat:
    deployments:
      - { engine: openai, model: gpt-5-mini, price: { inputUsd: 0.25, cachedInputUsd: 0.025, outputUsd: 2 } }
\`\`\`

The running process takes the change over by itself. \`npx headworks doctor\` tries every engine.

## How do I add my own documents?

Either \`npx headworks ingest handbook ./some-folder\`, or name the folder in the file, so that it is
read at every start:

\`\`\`yaml
collections:
  manuals: { sources: [{ path: ./manuals }] }
workflows:
  help: { collection: manuals }
\`\`\`

Then call the workflow as a model: \`npx headworks ask help "..."\`, or \`"model": "help"\` from any OpenAI
client.

## How do I spread load over several servers, and survive the loss of one?

Give a model several deployments. They share the first attempts by weight and stand in for each
other; \`fallback\` names other models for when all of them have failed:

\`\`\`yaml
engines:
  gpu-1: { kind: openai, url: http://10.0.0.5:8000/v1 }
  gpu-2: { kind: openai, url: http://10.0.0.6:8000/v1 }
models:
  small: { deployments: [{ engine: gpu-2, model: qwen3-4b }] }
  chat:
    deployments:
      - { engine: gpu-1, model: qwen3-32b, weight: 95 }
      - { engine: gpu-2, model: qwen3-32b, weight: 5, label: canary }
    fallback: [small]
\`\`\`

## Rules

* **Defaults stay.** What a file names is added to the defaults below; an entry of the same name
  replaces the default, and a workflow is completed field by field.
* **Secrets are references.** \`env:NAME\` stands for an environment variable, \`file:PATH\` for the content
  of a file. A key written into the file is refused. Neither \`config show\` nor the log nor the console
  ever shows a secret.
* **Unknown fields are refused**, with the name that was probably meant; fields of later versions are
  refused too, since a limit that is silently ignored is worse than none.
* **Names** of engines and collections are lower-case letters, digits, \`.\`, \`_\`, \`-\`; those of models and
  workflows may also have capitals, \`:\` and \`/\`. No model and workflow share a name.
* **Reload.** A changed file is taken over by the running process, where the table says *live*; what
  says *restart* waits for the next start, and the log says so. A file that is not valid changes
  nothing.
* **Editors** complete and check the file with this first line:
  \`# yaml-language-server: $schema=headworks.schema.json\` (\`npx headworks config schema\` prints that
  schema).

## Environment variables

| variable | what it does |
|---|---|
| \`HEADWORKS_CONFIG\` | The file, in place of \`headworks.yaml\`. |
| \`HEADWORKS_DATA\` | The data folder; over \`data\`. |
| \`HEADWORKS_LISTEN\` | The address, \`host:port\`; over \`listen\`. |
| \`HEADWORKS_ADMIN_KEY\` | The first admin key, at least 20 characters. Without it one is made at the first start and shown once. |
`

function sectionText(name: string, field: Field): string {
  const entry = field.additionalProperties || undefined
  const nested =
    field.properties !== undefined ||
    field.oneOf !== undefined ||
    entry !== undefined ||
    field.items?.properties !== undefined
  if (!nested) return `## \`${name}\`\n\n${HEADER}${rowText(name, field, false, field.reload)}`
  const intro = `## \`${name}\`\n\n${field.description ?? ''}\n`
  const kindsOf = field.oneOf ?? entry?.oneOf
  if (kindsOf !== undefined) {
    const prefix = field.oneOf === undefined ? `${name}.<name>` : name
    const kinds = kindsOf.map((kind) => {
      const tag = kind.properties?.['kind']
      return `### \`kind: ${String(tag?.const)}\`\n\n${tag?.description ?? ''}\n\n${tableText(kind, prefix, field.reload)}`
    })
    return `${intro}\n${kinds.join('\n')}`
  }
  const [of, place] =
    entry !== undefined
      ? [entry, `${name}.<name>`]
      : field.items === undefined
        ? [field, name]
        : [field.items, `${name}[]`]
  return `${intro}\n${tableText(of, place, field.reload)}`
}

const HEADER = '| field | type | default | what it does | reload |\n|---|---|---|---|---|\n'

function tableText(field: Field, prefix: string, reload: Field['reload']): string {
  return HEADER + rowsOf(field, prefix, reload).join('')
}

function rowsOf(field: Field, prefix: string, reload: Field['reload']): string[] {
  return Object.entries(field.properties ?? {}).flatMap(([name, inner]) => {
    const path = `${prefix}.${name}`
    const required = field.required?.includes(name) === true
    const own = inner.reload ?? reload
    const items = (inner.items?.oneOf ?? (inner.items === undefined ? [] : [inner.items])).flatMap((item) => {
      const kind = item.properties?.['kind']?.const
      return rowsOf(item, kind === undefined ? `${path}[]` : `${path}[${String(kind)}]`, own)
    })
    return [rowText(path, inner, required, own), ...rowsOf(inner, path, own), ...items]
  })
}

function rowText(path: string, field: Field, required: boolean, reload: Field['reload']): string {
  const cells = [
    `\`${path}\``,
    typeText(field),
    defaultText(field, required),
    field.description ?? '',
    reload ?? 'restart',
  ]
  return `| ${cells.map((cell) => cell.replace(/\|/g, '\\|')).join(' | ')} |\n`
}

function typeText(field: Field): string {
  if (field.shown !== undefined) return field.shown
  if (field.const !== undefined) return `\`${String(field.const)}\``
  if (field.enum !== undefined) return field.enum.map((one) => `\`${String(one)}\``).join(', ')
  switch (field.type) {
    case 'integer':
      return `whole number, ${count(field.minimum ?? 0)} to ${count(field.maximum ?? 0)}`
    case 'array':
      return field.items?.properties === undefined ? 'list of texts' : 'list'
    case 'object':
      return 'mapping'
    default:
      return 'text'
  }
}

const count = (value: number): string => value.toLocaleString('en-US')

function defaultText(field: Field, required: boolean): string {
  if (required) return '*required*'
  const value = field.default
  if (value === undefined || (typeof value === 'object' && JSON.stringify(value) === '{}')) return ''
  return typeof value === 'number' ? count(value) : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

function tail(): string {
  return `## Defaults

Without a file, or with an empty one, this is in force:

\`\`\`yaml
${stringify(defaults('./docs'), { lineWidth: 0 }).trimEnd()}
\`\`\`

Here \`./docs\` stands for the documentation that came with Headworks.
`
}
