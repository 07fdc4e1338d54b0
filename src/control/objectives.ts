import { type ObjectiveWatch, standingJson } from '../meter/objectives/watch.ts'
import { ok, type Route } from './router.ts'

/** How what is promised is kept. */
export function objectiveRoutes(watch: Pick<ObjectiveWatch, 'standings'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/objectives',
      summary:
        'The objectives: events and bad ones in the window, the share of the error budget that is left, and how fast it is spent over 5, 30, 60 and 360 minutes.',
      role: 'admin',
      answer: async () => ok({ objectives: (await watch.standings()).map(standingJson) }),
    },
  ]
}
