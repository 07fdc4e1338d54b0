import { every, onEvents, retold, isClosing, type Plants } from './ports.ts'

/** Faults of the journal and of the store under it. */

export const JOURNAL_PLANTS: Plants = {
  'lost closing': {
    breaks: ['nothing acknowledged is lost', 'every opened request is closed'],
    plant: onEvents((events) => {
      const lose = every(4)
      return { append: (entries) => (entries.some(isClosing) && lose() ? Promise.resolve() : events.append(entries)) }
    }),
  },
  'lost opening': {
    breaks: ['a closing has its opening', 'nothing acknowledged is lost'],
    plant: onEvents((events) => ({
      append: (entries) =>
        entries.every(({ phase }) => phase === 'open') ? Promise.resolve() : events.append(entries),
    })),
  },
  'double closing': {
    breaks: ['a request is closed once'],
    plant: onEvents((events) => ({
      append: async (entries) => {
        await events.append(entries)
        if (entries.some(isClosing))
          await events.append(entries.map((entry) => ({ ...entry, body: { ...entry.body, outcome: 'failed' } })))
      },
    })),
  },
  'double opening': {
    breaks: ['a request is opened once'],
    plant: onEvents((events) => ({
      append: (entries) =>
        events.append(
          entries.flatMap((entry) => (entry.phase === 'open' ? [entry, { ...entry, id: `${entry.id}2` }] : [entry])),
        ),
    })),
  },
  'failure told as success': {
    breaks: ['a closing tells the truth'],
    plant: onEvents((events) => ({
      append: (entries) =>
        events.append(
          entries.map((entry) => (entry.body['outcome'] === 'failed' ? retold(entry, { outcome: 'answered' }) : entry)),
        ),
    })),
  },
  'acknowledged before durable': {
    breaks: ['nothing acknowledged is lost', 'every opened request is closed', 'a request is closed once'],
    plant: onEvents((events) => ({
      append: (entries) => {
        void events.append(entries).catch(() => {})
        return Promise.resolve()
      },
    })),
  },
  'blind recovery': {
    breaks: ['every opened request is closed'],
    plant: onEvents(() => ({ unclosed: () => Promise.resolve([]) })),
  },
  'store that never answers': {
    breaks: ['comes to rest', 'counts return to zero', 'every opened request is closed'],
    plant: onEvents((events) => {
      const hang = every(5)
      return { append: (entries) => (hang() ? new Promise<void>(() => {}) : events.append(entries)) }
    }),
  },
  'promise nobody waits for': {
    breaks: ['no promise is left to fail alone'],
    plant: onEvents((events) => ({
      append: (entries) => {
        void Promise.reject(new Error('left alone'))
        return events.append(entries)
      },
    })),
  },
}
