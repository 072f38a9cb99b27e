import { AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages';
import { END, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres';
import express from 'express';

/** The same steps as a graph whose thread is a conversation: its messages are in its state, and its state in Postgres. */
const { turnSteps } = await import(process.env.BENCH_STEPS);
const { callModel, runTool } = turnSteps(process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME);

const callsOf = ({ tool_calls: calls = [] }) => calls.map(({ id, name, args }) => ({ callId: id, name, input: args }));

/** The state keeps all messages, as a conversation does; the model is sent those of the turn alone, as by the other arms: its work is the same. */
const ofThisTurn = (messages) => messages.slice(messages.findLastIndex((message) => message.type === 'human'));

/** As the steps take them: a question, and then in turn what the model said and the results of all it called. */
function toModelMessages(messages) {
  const sent = [];
  for (const message of messages) {
    if (message.type === 'human') sent.push({ role: 'user', content: [{ text: message.text }] });
    if (message.type === 'ai') sent.push({ role: 'assistant', content: [...(message.text === '' ? [] : [{ text: message.text }]), ...callsOf(message).map((toolUse) => ({ toolUse }))] });
    if (message.type !== 'tool') continue;
    if (sent.at(-1).role !== 'user') sent.push({ role: 'user', content: [] });
    sent.at(-1).content.push({ toolResult: { callId: message.tool_call_id, output: JSON.parse(message.text), isError: false } });
  }
  return sent;
}

async function model({ messages }) {
  const { content } = await callModel(toModelMessages(ofThisTurn(messages)));
  const text = content.map((block) => block.text ?? '').join('');
  const calls = content.flatMap(({ toolUse }) => (toolUse ? [{ type: 'tool_call', id: toolUse.callId, name: toolUse.name, args: toolUse.input }] : []));
  return { messages: [new AIMessage({ content: text, tool_calls: calls })] };
}

/** Side by side, as LangGraph's own ToolNode runs them. */
async function tools({ messages }) {
  const results = await Promise.all(callsOf(messages.at(-1)).map(runTool));
  return { messages: results.map(({ toolResult: { callId, output } }) => new ToolMessage({ tool_call_id: callId, content: JSON.stringify(output) })) };
}

const checkpointer = PostgresSaver.fromConnString(process.env.POSTGRES_URL);
await checkpointer.setup();
const graph = new StateGraph(MessagesAnnotation)
  .addNode('model', model)
  .addNode('tools', tools)
  .addEdge(START, 'model')
  .addConditionalEdges('model', ({ messages }) => (callsOf(messages.at(-1)).length > 0 ? 'tools' : END), ['tools', END])
  .addEdge('tools', 'model')
  .compile({ checkpointer });

const app = express();
app.use(express.json());
app.post('/sessions/:id', async (request, response) => {
  // What a step did is in Postgres before the next one starts, as it is with us; by default the two overlap, and a crash can lose a step.
  const { messages } = await graph.invoke({ messages: [new HumanMessage(request.body.text)] }, { configurable: { thread_id: request.params.id }, durability: 'sync' });
  response.json({ answer: messages.at(-1).text });
});
const server = app.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
