import fc from 'fast-check'
import type { Json, JsonObject } from '../../src/base/json.ts'
import { hardText } from './texts.ts'

/** Tool definitions, and the ways in which chat templates write them into a prompt. */

export const toolName: fc.Arbitrary<string> = fc.constantFrom('city', 'a', 'größe', 'wetter_heute', "it's <b>", '机器')

const value = fc.oneof(hardText, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null))

export const schema: fc.Arbitrary<JsonObject> = fc.letrec<{ schema: JsonObject }>((tie) => ({
  schema: fc.record(
    {
      type: fc.constantFrom('object', 'string', 'integer'),
      description: hardText,
      enum: fc.array(value, { maxLength: 4 }) as fc.Arbitrary<Json[]>,
      properties: fc.dictionary(toolName, tie('schema'), { maxKeys: 3, depthIdentifier: 'schema' }),
    },
    { requiredKeys: ['type'] },
  ),
})).schema

export const tool: fc.Arbitrary<JsonObject> = fc.record({
  type: fc.constant('function'),
  function: fc.record({ name: toolName, description: hardText, parameters: schema }),
})

const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

type Rendering = (value: Json) => string

export const JSON_RENDERINGS: readonly Rendering[] = [
  (value) => JSON.stringify(value),
  (value) => JSON.stringify(value, null, 4),
  (value) => JSON.stringify(value, null, 4).replace(/[^\0-\x7f]/g, escaped),
  (value) => JSON.stringify(value, null, 1).replace(/[<>&']/g, escaped),
]

/** As Qwen3-Coder's template does. */
export function asXml(value: Json): string {
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return JSON.stringify(value)
  return Object.entries(value as JsonObject)
    .map(([name, item]) =>
      name === 'properties'
        ? Object.entries(item as JsonObject)
            .map(([field, one]) => `\n<parameter>\n<name>${field}</name>${asXml(one ?? null)}\n</parameter>`)
            .join('')
        : `\n<${name}>${asXml(item ?? null)}</${name}>`,
    )
    .join('')
}

/** As OpenAI's models read their tools: fields with their types, behind what is said of them. */
export function asTypeScript(value: Json): string {
  const { type, description, enum: choices, properties } = value as JsonObject
  const said = description === undefined ? '' : `// ${String(description)}\n`
  const kind =
    choices !== undefined
      ? (choices as readonly Json[]).map((one) => JSON.stringify(one)).join(' | ')
      : properties !== undefined
        ? `{\n${Object.entries(properties as JsonObject)
            .map(([name, one]) => asTypeScript(one ?? null).replace(/(?=[^\n]*$)/, `${name}?: `))
            .join(',\n')}\n}`
        : String(type)
  return `${said}${kind}`
}
