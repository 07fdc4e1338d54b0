import type { Question } from '../api/chat.ts'
import type { Place } from '../shell/route.ts'

/** A question as an address, to be kept and shared: `/ask?q=...&model=...`. */
export const addressOf = ({ question, model }: Question): string =>
  `/ask?${new URLSearchParams({ q: question, model })}`

/** Which of this tab's answers to show: noted beside the address as `{ asked }`. */
export function askedAt({ note }: Place): number | undefined {
  return typeof note === 'object' && note !== null && 'asked' in note && typeof note.asked === 'number'
    ? note.asked
    : undefined
}
