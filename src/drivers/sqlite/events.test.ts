import { eventsContract } from '../../store/contract/events.ts'
import { temporary } from '../../../tests/kit/sqlite.ts'

eventsContract(
  'sqlite',
  temporary((store) => store.events),
)
