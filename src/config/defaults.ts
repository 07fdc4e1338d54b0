/** What is in force without any file: the embedded engines, one model on each, and the handbook
 *  with a workflow to ask it. Written as a file would be, since a user's file is laid over it. */
export const defaults = (docsFolder: string): Raw => ({
  engines: { reader: { kind: 'reader' }, lexical: { kind: 'lexical' } },
  models: {
    reader: {
      deployments: [{ engine: 'reader', model: 'reader' }],
      description: 'Extractive: answers with sentences of the sources it is given. Needs no model weights.',
    },
    lexical: {
      deployments: [{ engine: 'lexical', model: 'lexical' }],
      description: 'Ranks passages by the words they share with the question. Needs no model weights.',
    },
  },
  collections: { handbook: { sources: [{ path: docsFolder }], description: 'The handbook of Headworks.' } },
  workflows: {
    docs: { collection: 'handbook', model: 'reader', description: 'Answers from documents, with citations.' },
  },
})

type Raw = { readonly [name: string]: unknown }

/** The user's values over the defaults. Names add up; of a name on both sides the user's entry
 *  stands, a workflow's completed field by field: `docs: { model: chat }` is enough. A section left
 *  empty (`models:` and nothing) counts as absent. What is no mapping is passed on for validation to
 *  refuse. */
export function layOver(user: Raw, base: Raw): Raw {
  const out = mapping(user)
  for (const [section, value] of Object.entries(out)) if (value === null) delete out[section]
  for (const [section, entries] of Object.entries(base)) {
    if (out[section] === undefined) out[section] = mapping(entries as Raw)
    else if (isMapping(out[section])) out[section] = layNames(out[section], entries as Raw, section === 'workflows')
  }
  return out
}

function layNames(user: Raw, base: Raw, byField: boolean): Raw {
  const out = mapping(base)
  for (const [name, value] of Object.entries(user)) {
    const below = out[name]
    out[name] = byField && isMapping(value) && isMapping(below) ? mapping(below, value) : value
  }
  return out
}

const isMapping = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value)
const mapping = (...from: readonly Raw[]): { [name: string]: unknown } =>
  Object.assign(Object.create(null) as object, ...from) as { [name: string]: unknown }
