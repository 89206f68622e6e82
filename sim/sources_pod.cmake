# Simulated pods and the Hub: sources of podsmith_sim, and the stand-ins baked into it. Included by sim/CMakeLists.txt.
set(SIM_POD_SOURCES
  sandbox.cpp sandbox_disk.cpp sandbox_process.cpp
  hub.cpp hub_account.cpp hub_call.cpp hub_card.cpp hub_commit.cpp hub_control.cpp hub_files.cpp hub_info.cpp hub_lfs.cpp hub_people.cpp
  hub_pool.cpp hub_preupload.cpp hub_refs.cpp hub_repos.cpp hub_seed.cpp hub_signed.cpp hub_storage.cpp hub_store.cpp hub_sum.cpp hub_tree.cpp hub_weights.cpp)
set(SIM_STANDINS_BASE ${CMAKE_CURRENT_LIST_DIR}/standins)
set(SIM_STANDINS "")
foreach(name init.sh sshd.sh start.sh
    bin/accelerate bin/apt bin/apt-get bin/df bin/git bin/git-lfs bin/nvidia-smi bin/pip bin/pip3 bin/python bin/python3
    bin/python3.11 bin/service
    lib/accelerate.lua lib/hub_push.lua lib/hub_upload.lua lib/trainer_checks.lua lib/trainer_env.lua lib/trainer_faults.lua
    lib/trainer_files.lua lib/trl_keys.lua lib/yaml_to_json.lua
    python/datasets.py python/huggingface_hub.py python/peft.py python/torch.py python/transformers.py python/yaml.py
    python/lib/sim_hub.py)
  list(APPEND SIM_STANDINS ${SIM_STANDINS_BASE}/${name})
endforeach()
