import { durableRowsContract, rowsContract } from '../../store/contract/rows.ts'
import { temporary } from '../../../tests/kit/sqlite.ts'

const open = temporary((store) => store.rows)

rowsContract('sqlite', open)
durableRowsContract('sqlite', open)
