// What a customer looks like in the API.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { choice, Email, Id, Instant, Name, nullable, Phone, strict } from '../fields.ts';
import { customer, customerCategories, customerStatuses } from './schema.ts';

const optional = {
  status: Type.Optional(choice(customerStatuses)),
  category: Type.Optional(choice(customerCategories)),
  email: Type.Optional(nullable(Email)),
  phone: Type.Optional(nullable(Phone)),
  area_id: Type.Optional(nullable(Id)),
  branch_id: Type.Optional(nullable(Id)),
  reseller_id: Type.Optional(nullable(Id)),
};

export const CustomerBody = strict({
  name: Name,
  account_number: Type.Optional(
    Type.String({
      pattern: '^[0-9]{6,12}$',
      description: 'kept from another system; else the next one with a check digit',
    }),
  ),
  ...optional,
});
export type CustomerBody = Static<typeof CustomerBody>;

export const CustomerChange = strict({ name: Type.Optional(Name), ...optional });
export type CustomerChange = Static<typeof CustomerChange>;

export const CustomerReply = Type.Object({
  id: Id,
  account_number: Type.String(),
  status: choice(customerStatuses),
  category: choice(customerCategories),
  name: Type.String(),
  email: nullable(Type.String()),
  phone: nullable(Type.String()),
  area_id: nullable(Id),
  branch_id: nullable(Id),
  reseller_id: nullable(Id),
  created_at: Instant,
  updated_at: Instant,
});
export type CustomerReply = Static<typeof CustomerReply>;

/** A search by a part of the name ends after so many. */
export const mostFound = 10_000;

export const customerList = {
  from: sql`${customer}`,
  id: customer.id,
  defaultSort: '-id',
  searches: 'account number, e-mail, phone, user name, or a part of the name',
  fields: {
    id: { kind: 'integer', value: customer.id, sortable: true },
    account_number: { kind: 'text', value: customer.accountNumber, sortable: true },
    name: {
      kind: 'text',
      value: customer.name,
      sortable: true,
      like: (part) => sql`${customer.id} = ANY(ARRAY(SELECT customer_search(${part}, ${mostFound})))`,
    },
    status: { kind: 'text', value: customer.status, choices: customerStatuses },
    category: { kind: 'text', value: customer.category, choices: customerCategories },
    email: { kind: 'text', value: customer.email, nullable: true },
    phone: { kind: 'text', value: customer.phone, nullable: true },
    area_id: { kind: 'integer', value: customer.areaId, nullable: true },
    branch_id: { kind: 'integer', value: customer.branchId, nullable: true },
    reseller_id: { kind: 'integer', value: customer.resellerId, nullable: true },
    created_at: { kind: 'instant', value: customer.createdAt },
  },
} as const satisfies ListDefinition;
export const CustomerQuery = listQuery(customerList);
export const CustomersReply = listReply(CustomerReply);
