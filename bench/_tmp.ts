import { openPostgres } from '/work/main/src/db/open.ts';
import { createWakeups } from '/work/main/src/db/wakeups.ts';
import { systemClock } from '/work/main/src/lib/clock.ts';
import { uuidv7 } from '/work/main/src/lib/id.ts';
import { createCooldowns } from '/work/main/src/pipeline/cooldowns.ts';
import { createDispatcher } from '/work/main/src/pipeline/dispatch.ts';
import { startJobs } from '/work/main/src/pipeline/jobs.ts';
import { createPublisher } from '/work/main/src/pipeline/publish.ts';
import { createSubscriptionIndexes } from '/work/main/src/pipeline/subscription-index.ts';
import { migrate, pgConnection } from '/work/main/src/db/migrate.ts';
import pg from 'pg';
const url='postgres://root@127.0.0.1:5432/benchx';
const a=new pg.Client('postgres://root@127.0.0.1:5432/test'); await a.connect(); await a.query('drop database if exists benchx with (force)'); await a.query('create database benchx'); await a.end();
const c=new pg.Client(url); await c.connect(); await migrate(pgConnection(c),'/work/main/prisma/migrations'); await c.end();
const err=(e:unknown)=>console.error(e);
const db=openPostgres(url,10,err); const jobs=await startJobs({pool:db.pool},db.sql,err); const wakeups=await createWakeups(db,uuidv7(),err);
const publisher=createPublisher({db,jobs,indexes:createSubscriptionIndexes(),cooldowns:createCooldowns({now:Date.now,newId:uuidv7}),history:'problems',publicUrl:'http://x',now:Date.now,newId:uuidv7,wakeups,onFired:()=>{}});
const pid=uuidv7(); await db.prisma.project.create({data:{id:pid,slug:'p',name:'p'}});
for(let i=0;i<1;i++){const id=uuidv7(); await db.prisma.channel.create({data:{id,ownerId:pid,projectId:pid,name:'c'+i,type:'webhook',config:{},secrets:'',health:{create:{lastSuccessAt:new Date()}}}}); await db.prisma.notificationSubscription.create({data:{id:uuidv7(),projectId:pid,ownerId:pid,trigger:'task.failed',inApp:false,channels:{create:[{channelId:id}]}}});}
let done=0; let target=0; let res=()=>{};
const d=createDispatcher({db,jobs,wakeups,clock:systemClock,now:Date.now,newId:uuidv7,random:Math.random,concurrency:16,attempt:async()=>{ await new Promise(r=>setImmediate(r)); done++; if(done===target) res(); return {outcome:'DELIVERED',statusCode:200};},onError:err}); d.start();
const ev=()=>({id:uuidv7(),trigger:'task.failed' as const,occurredAt:Date.now(),taskId:'t',taskName:'billing.run',queue:'q',engine:'celery',priority:1,state:'FAILURE',agent:'w1',runtimeMs:12,exception:'ValueError: boom',traceback:'x'.repeat(800),data:{a:1}});
async function run(per:number,n:number,conc:number){ done=0; target=n; const p=new Promise<void>(r=>{res=r}); const t=performance.now(); const cpu=process.cpuUsage(); let left=n/per; await Promise.all(Array.from({length:conc},async()=>{while(left-->0) await publisher.publish(pid,Array.from({length:per},ev));})); const tp=performance.now()-t; await p; await new Promise(r=>setTimeout(r,100)); const el=performance.now()-t-100; const u=process.cpuUsage(cpu); console.log({per,n,pubPerS:Math.round(n/tp*1000),delPerS:Math.round(n/el*1000),cpuUs:Math.round((u.user+u.system)/n)}); }
await run(10,2000,8);
for (const per of [1,10,100]) await run(per,per===1?4000:10000,16);
await d.stop(); await publisher.close(); await wakeups.close(); await jobs.stop(); await db.close();
